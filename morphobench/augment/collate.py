"""MultiCrop in other people's pipelines: a dataset with image ids and a collate function for a DataLoader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from morphobench.augment.multi_crop import MultiCrop
from morphobench.errors import InputError
from morphobench.types import UInt8Array

if TYPE_CHECKING:
    import torch


class ImageDataset(Protocol):
    """What torch calls a map-style dataset, of samples (image, label, ...)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sequence[Any]: ...


class WithIds:
    """``dataset`` with its samples as (image, label, index): the index is what draws are keyed by."""

    def __init__(self, dataset: ImageDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, Any, int]:
        image, label = self.dataset[index][:2]
        return image, label, index


class CollateViews:
    """Samples (image, label, image id) -> (views, labels, image ids), for ``DataLoader(collate_fn=...)``.

    Images: PIL images, or uint8 arrays or tensors (H, W) or (C, H, W), all of one size. ``views``: a list of
    V float32 tensors (B, C, S, S), as lightly's and most multi-crop losses want them. Set ``epoch`` before
    each epoch. Give ``crops`` threads=1 where the loader has workers. InputError for other samples.
    """

    def __init__(self, crops: MultiCrop) -> None:
        if crops.dtype != "float32":
            raise InputError(f"crops: float32 views wanted, got {crops.dtype}")
        self.crops = crops
        self.epoch = 0

    def __call__(
        self, samples: Sequence[tuple[Any, Any, int]]
    ) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
        """The views, labels and image ids of one batch."""
        import torch

        if not all(len(sample) == 3 for sample in samples):
            raise InputError("samples: (image, label, image id) wanted, as WithIds(dataset) gives them")
        images = [_channels_first(sample[0]) for sample in samples]
        if len({image.shape for image in images}) != 1:
            sizes = sorted({str(image.shape) for image in images})
            raise InputError(f"samples: images of one size wanted, got {', '.join(sizes)}")
        ids = np.array([sample[2] for sample in samples], np.int64)
        made = self.crops(np.stack(images), ids, self.epoch)
        groups = made if isinstance(made, tuple) else (made,)
        views = [torch.from_numpy(view) for group in groups for view in group]
        return views, torch.tensor([sample[1] for sample in samples]), torch.from_numpy(ids)


def _channels_first(image: Any) -> UInt8Array:
    """uint8 (C, H, W) of a PIL image, array or tensor."""
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise InputError(
            f"samples: PIL or uint8 images (H, W) or (C, H, W) wanted, got {pixels.dtype} {pixels.shape}"
        )
    if pixels.ndim == 2:
        return pixels[None]
    is_pil = hasattr(image, "getbands")
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if is_pil else pixels
