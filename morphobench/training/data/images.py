"""Images with what is known about each, gathered from an array or memory map when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from morphobench.errors import InputError
from morphobench.objectives import Batch
from morphobench.objectives.protocol import GROUPS
from morphobench.types import Int64Array, UInt8Array


class ImageArray(Protocol):
    """Images by row: a uint8 array or memory map (N, C, H, W), or :class:`ImageRows` of one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""

    def __getitem__(self, rows: Any, /) -> Any: ...


class ImageRows:
    """Some rows of an image array, such as a split's, not copied: a batch is gathered when asked for."""

    def __init__(self, images: ImageArray, rows: Int64Array) -> None:
        """Take images and rows.

        Args:
            images: uint8 (N, C, H, W).
            rows: int64 (M,).

        Raises:
            InputError: for a row outside the images.
        """
        self._images, self._rows = images, np.asarray(rows, dtype=np.int64)
        if len(self._rows) and (self._rows.min() < 0 or self._rows.max() >= images.shape[0]):
            raise InputError(
                f"rows must be 0 to {images.shape[0] - 1}, got {self._rows.min()} to {self._rows.max()}"
            )

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, C, H, W)."""
        return (len(self._rows), *self._images.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the images."""
        return self._images.dtype

    def __getitem__(self, rows: Any, /) -> Any:
        return self._images[self._rows[rows]]


@dataclass(frozen=True)
class LabelledImages:
    """Images with what is known about each; checked when made.

    Attributes:
        images: uint8 (N, C, H, W).
        labels: int64 (N,), 0 for control and 1 for drug.
        image_ids: int64 (N,), the keys of the images' views.
        groups: by name (of ``objectives.protocol.GROUPS``) a code per image, int64 (N,); -1 where unknown.
    """

    images: ImageArray
    labels: Int64Array
    image_ids: Int64Array
    groups: Mapping[str, Int64Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.images.shape
        if self.images.dtype != np.uint8:
            raise TypeError(f"images must be uint8, got {self.images.dtype}")
        if len(shape) != 4 or 0 in shape:
            raise InputError(f"images must have shape (N, C, H, W) without empty axes, got {shape}")
        for name in ("labels", "image_ids"):
            object.__setattr__(self, name, self._per_image(name, vars(self)[name]))
        unknown = sorted(set(self.groups) - set(GROUPS))
        if unknown:
            raise InputError(f"groups must be among {', '.join(GROUPS)}, got {', '.join(unknown)}")
        codes = {name: self._per_image(f"groups[{name!r}]", values) for name, values in self.groups.items()}
        object.__setattr__(self, "groups", codes)

    def _per_image(self, name: str, given: Int64Array) -> Int64Array:
        values = np.asarray(given)
        if values.dtype.kind not in "iu":
            raise TypeError(f"{name} must be integers, got {values.dtype}")
        if values.shape != self.images.shape[:1]:
            raise InputError(
                f"{name} must have shape ({self.images.shape[0]},), one per image, got {values.shape}"
            )
        return values.astype(np.int64, copy=False)

    def __len__(self) -> int:
        return self.images.shape[0]

    def gather(self, rows: Int64Array) -> UInt8Array:
        """Copy some images into memory.

        Args:
            rows: int64 (B,).

        Returns:
            uint8 (B, C, H, W), contiguous.
        """
        return np.ascontiguousarray(np.asarray(self.images[rows]))

    def batch(self, rows: Int64Array) -> Batch:
        """Make tensors of labels and groups.

        Args:
            rows: int64 (B,).

        Returns:
            Labels and groups of those images.
        """
        groups = {name: torch.from_numpy(codes[rows]) for name, codes in self.groups.items()}
        return Batch(torch.from_numpy(self.labels[rows]), groups)
