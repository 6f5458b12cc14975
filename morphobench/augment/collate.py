"""MultiCrop in a PyTorch DataLoader: a dataset with image ids and a collate function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from morphobench._util.integers import check_integer
from morphobench.augment.multi_crop import MultiCrop
from morphobench.augment.validation import check_image_ids
from morphobench.errors import InputError
from morphobench.types import UInt8Array


class ImageDataset(Protocol):
    """A map-style dataset, as torch calls it, of samples (image, label, ...)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sequence[Any]: ...


class WithIds:
    """A dataset whose samples carry their index as image id: (image, label, index).

    Args:
        dataset: a map-style dataset of samples (image, label, ...).

    Raises:
        TypeError: for a dataset without ``len()`` or indices.
    """

    def __init__(self, dataset: ImageDataset) -> None:
        if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
            raise TypeError(f"dataset must have len() and indices, got {type(dataset).__name__}")
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, Any, int]:
        sample = self.dataset[index]
        if not isinstance(sample, (tuple, list)) or len(sample) < 2:
            raise InputError(f"dataset must have samples (image, label, ...), got {type(sample).__name__}")
        return sample[0], sample[1], index


class CollateViews:
    """Collate function for a DataLoader: samples (image, label, image id) to (views, labels, image ids).

    Images are PIL images, or uint8 arrays or tensors (H, W) or (C, H, W), all of one size. Views are a list
    of V float32 tensors (B, C, S, S), as lightly and most multi-crop losses expect them. Set ``epoch`` before
    each epoch; worker processes see it, persistent ones too. Where the DataLoader has workers, give ``crops``
    ``threads=1``.

    Args:
        crops: makes the views; float32.
        order: the order in which views, labels and ids are returned (solo-learn: "ids views labels").

    Raises:
        InputError: for views that are not float32 or another order.
        TypeError: for ``crops`` that are no MultiCrop.
    """

    def __init__(self, crops: MultiCrop, *, order: str = "views labels ids") -> None:
        import torch

        if not isinstance(crops, MultiCrop):
            raise TypeError(f"crops must be a MultiCrop, got {type(crops).__name__}")
        if crops.dtype != "float32":
            raise InputError(f"crops must make float32 views, got {crops.dtype}")
        if not isinstance(order, str) or sorted(order.split()) != ["ids", "labels", "views"]:
            raise InputError(f"order must name views, labels and ids, each once, got {order!r}")
        self.crops, self.order = crops, order
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    @property
    def epoch(self) -> int:
        """Epoch that the views depend on, 0 to 2**32 - 1."""
        return int(self._epoch)

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch.fill_(check_integer("epoch", epoch, 2**32 - 1))

    def __call__(self, samples: Sequence[tuple[Any, Any, int]]) -> tuple[Any, Any, Any]:
        """Collate one batch.

        Args:
            samples: (image, label, image id) of each image.

        Returns:
            Views, labels and image ids in the order that was asked for.

        Raises:
            InputError: for other samples.
        """
        import torch

        if not samples or not all(isinstance(each, (tuple, list)) and len(each) == 3 for each in samples):
            raise InputError(
                "samples must be (image, label, image id), as WithIds(dataset) gives them, got others"
            )
        images = [_channels_first(sample[0]) for sample in samples]
        if len({image.shape for image in images}) != 1:
            sizes = sorted({str(image.shape) for image in images})
            raise InputError(f"samples must have images of one size, got {', '.join(sizes)}")
        ids = check_image_ids([sample[2] for sample in samples])
        try:
            labels = torch.tensor([sample[1] for sample in samples])
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"samples must have labels that torch.tensor takes, got {error}") from error
        made = self.crops(np.stack(images), ids, self.epoch)
        groups = made if isinstance(made, tuple) else (made,)
        views = [torch.from_numpy(view) for group in groups for view in group]
        parts = {"views": views, "labels": labels, "ids": torch.from_numpy(ids)}
        first, second, third = (parts[name] for name in self.order.split())
        return first, second, third


def _channels_first(image: Any) -> UInt8Array:
    """uint8 (C, H, W) of a PIL image, array or tensor."""
    mode = getattr(image, "mode", None) if hasattr(image, "getbands") else None
    if mode == "P":  # its pixels are numbers of colours
        raise InputError("samples must have grey or colour PIL images, got mode P (image.convert makes one)")
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise InputError(
            f"samples must have PIL or uint8 images (H, W) or (C, H, W), got {pixels.dtype} {pixels.shape}"
        )
    if pixels.ndim == 2:
        return pixels[None]
    if mode is not None:
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    if pixels.shape[-1] in (1, 3, 4) and min(pixels.shape[:2]) > 4:
        raise InputError(
            f"samples must have images (C, H, W), got {pixels.shape}, which has its channels last"
        )
    return pixels
