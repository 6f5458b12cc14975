"""MultiCrop in other people's pipelines: a dataset with image ids and a collate function for a DataLoader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from morphobench.augment.multi_crop import MultiCrop
from morphobench.augment.validation import check_image_ids, check_integer
from morphobench.errors import InputError
from morphobench.types import UInt8Array


class ImageDataset(Protocol):
    """What torch calls a map-style dataset, of samples (image, label, ...)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sequence[Any]: ...


class WithIds:
    """``dataset`` with its samples as (image, label, index): the index is what draws are keyed by."""

    def __init__(self, dataset: ImageDataset) -> None:
        if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
            raise TypeError(f"dataset: one with len() and indices wanted, got {type(dataset).__name__}")
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, Any, int]:
        sample = self.dataset[index]
        if not isinstance(sample, (tuple, list)) or len(sample) < 2:
            raise InputError(f"dataset: samples (image, label, ...) wanted, got {type(sample).__name__}")
        return sample[0], sample[1], index


class CollateViews:
    """Samples (image, label, image id) -> (views, labels, image ids), for ``DataLoader(collate_fn=...)``.

    Images: PIL images, or uint8 arrays or tensors (H, W) or (C, H, W), all of one size. ``views``: a list of
    V float32 tensors (B, C, S, S), as lightly's and most multi-crop losses want them. ``order``: in which the
    three come (solo-learn: "ids views labels"). Set ``epoch`` before each epoch; workers see it, persistent
    ones too. Give ``crops`` threads=1 where the loader has workers. InputError for other samples.
    """

    def __init__(self, crops: MultiCrop, *, order: str = "views labels ids") -> None:
        import torch

        if not isinstance(crops, MultiCrop):
            raise TypeError(f"crops: a MultiCrop wanted, got {type(crops).__name__}")
        if crops.dtype != "float32":
            raise InputError(f"crops: float32 views wanted, got {crops.dtype}")
        if not isinstance(order, str) or sorted(order.split()) != ["ids", "labels", "views"]:
            raise InputError(f"order: views, labels and ids, each once, wanted, got {order!r}")
        self.crops, self.order = crops, order
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    @property
    def epoch(self) -> int:
        """The epoch that draws are keyed by; InputError for one outside 0..2**32 - 1."""
        return int(self._epoch)

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch.fill_(check_integer("epoch", epoch, 2**32 - 1))

    def __call__(self, samples: Sequence[tuple[Any, Any, int]]) -> tuple[Any, Any, Any]:
        """The views, labels and image ids of one batch."""
        import torch

        if not samples or not all(isinstance(each, (tuple, list)) and len(each) == 3 for each in samples):
            raise InputError("samples: (image, label, image id) wanted, as WithIds(dataset) gives them")
        images = [_channels_first(sample[0]) for sample in samples]
        if len({image.shape for image in images}) != 1:
            sizes = sorted({str(image.shape) for image in images})
            raise InputError(f"samples: images of one size wanted, got {', '.join(sizes)}")
        ids = check_image_ids([sample[2] for sample in samples])
        try:
            labels = torch.tensor([sample[1] for sample in samples])
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"samples: labels that torch.tensor takes wanted, got {error}") from error
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
        raise InputError("samples: grey or colour PIL images wanted, got mode P (image.convert makes one)")
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise InputError(
            f"samples: PIL or uint8 images (H, W) or (C, H, W) wanted, got {pixels.dtype} {pixels.shape}"
        )
    if pixels.ndim == 2:
        return pixels[None]
    if mode is not None:
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    if pixels.shape[-1] in (1, 3, 4) and min(pixels.shape[:2]) > 4:
        raise InputError(f"samples: channels first (C, H, W) wanted, got {pixels.shape}, which has them last")
    return pixels
