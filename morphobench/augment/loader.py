"""Loader of views: the next batches are made in the background while the model trains."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from morphobench._util.integers import check_integer
from morphobench.augment.multi_crop import DTYPES, Images, MultiCrop, Views
from morphobench.augment.prefetch import Prefetcher
from morphobench.augment.validation import allocate, check_image_ids, check_images
from morphobench.errors import InputError
from morphobench.types import Int64Array

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ViewBatch:
    """The views of one batch; its memory is used again when the next batch is asked for.

    Attributes:
        rows: int64 (B,), which images of the array.
        views: (V, B, C, S, S), or a tuple of such arrays, as MultiCrop returns them.
        tensor: the views as torch tensors: the same memory on the CPU; on a CUDA device a copy that is queued
            on the current stream. None where the loader has no device.
    """

    rows: Int64Array
    views: Views
    tensor: Any


class ViewLoader:
    """Iterator over batches of views, made by a background thread.

    An exception of the thread, or of ``batches``, is raised where the batch would have been. Close the
    loader, or use it in a ``with`` block, when leaving early.

    Training has a loader of its own (``training/data/loader.py``) on the same ``Prefetcher``: its items are
    optimizer steps with labels, BYOL's pairs, the process' part of each batch and a step to begin at.

    Args:
        crops: makes the views.
        images: uint8 or uint16 (N, H, W) or (N, C, H, W); a memory map will do.
        image_ids: integers (N,), which the views depend on.
        batches: rows of ``images`` in each batch, integers (B,); none longer than the first. Read in the
            background.
        epoch: the views depend on it, 0 to 2**32 - 1.
        depth: number of buffers, 1 to 64; with two, one is used while the other is filled.
        device: a torch device for ``ViewBatch.tensor`` (pinned memory and non-blocking copies for CUDA); None
            for NumPy only.

    Raises:
        InputError: for arguments out of range.
        TypeError: for arguments of another type.
    """

    def __init__(
        self,
        crops: MultiCrop,
        images: Images,
        image_ids: Int64Array,
        batches: Iterable[Int64Array],
        *,
        epoch: int,
        depth: int = 2,
        device: str | torch.device | None = None,
    ) -> None:
        if not isinstance(crops, MultiCrop):
            raise TypeError(f"crops must be a MultiCrop, got {type(crops).__name__}")
        check_images(images)
        ids = check_image_ids(image_ids)
        if len(ids) != len(images):
            raise InputError(
                f"image_ids must have one entry for each of {len(images)} images, got {len(ids)}"
            )
        check_integer("epoch", epoch, 2**32 - 1)
        check_integer("depth", depth, 64, least=1)
        if not isinstance(batches, Iterable):
            raise TypeError(f"batches must be arrays of rows, got {type(batches).__name__}")
        work = _Work(crops, images, ids, epoch, depth, _torch_device(device))
        self._prefetcher = Prefetcher(work.filled(iter(batches)), depth=depth)

    @property
    def waited_s(self) -> float:
        """Seconds that the caller has waited for batches in total."""
        return self._prefetcher.waited_s

    def __iter__(self) -> Iterator[ViewBatch]:
        return self

    def __next__(self) -> ViewBatch:
        buffer, rows = next(self._prefetcher)
        return ViewBatch(rows, buffer.views(len(rows)), buffer.to_device(len(rows)))

    def close(self) -> None:
        """Stop the thread and wait for it; no further batch comes. May be called twice."""
        self._prefetcher.close()

    def __enter__(self) -> ViewLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class _Work:
    """The thread's work; it holds no reference to the loader, so that a dropped loader is collected."""

    crops: MultiCrop
    images: Images
    ids: Int64Array
    epoch: int
    depth: int
    device: torch.device | None

    def filled(self, batches: Iterator[Int64Array]) -> Iterator[tuple[_Buffer, Int64Array]]:
        """Buffers filled in turn with the views of each batch, and the batch's rows."""
        buffers: list[_Buffer] = []
        for number, batch in enumerate(batches):
            rows = self._checked(batch)
            if len(buffers) < self.depth:
                most = buffers[0].most if buffers else len(rows)
                buffers.append(_Buffer(self.crops, most, self._channels, self.device))
            buffer = buffers[number % self.depth]
            if len(rows) > buffer.most:
                raise InputError(
                    f"batches must have at most {buffer.most} rows, as the first, got {len(rows)}"
                )
            buffer.wait()
            self.crops(self.images, self.ids[rows], self.epoch, buffer.views(len(rows)), rows=rows)
            yield buffer, rows

    @property
    def _channels(self) -> int:
        return self.images.shape[1] if self.images.ndim == 4 else 1

    def _checked(self, batch: Int64Array) -> Int64Array:
        try:
            rows = np.asarray(batch)
        except ValueError as error:
            raise InputError(f"batches must be integers (B,), got {error}") from error
        if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
            raise InputError(f"batches must be integers (B,), got {rows.dtype} {rows.shape}")
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self.ids):
            raise InputError(
                f"batches must hold rows in 0..{len(self.ids) - 1}, got {rows.min()}..{rows.max()}"
            )
        return np.ascontiguousarray(rows, np.int64)


class _Buffer:
    """Memory for one batch, and the copy to a device that must end before it is filled again."""

    def __init__(self, crops: MultiCrop, most: int, channels: int, device: torch.device | None) -> None:
        self.most, self.device = most, device
        self._crops, self._channels = crops, channels
        self._copied: Any = None
        sizes = [math.prod(shape) for shape in crops.shapes(most, channels)]
        self._host: list[torch.Tensor] = []
        if device is None:
            kind = DTYPES[crops.dtype]
            self._memory = [allocate((size,), kind, name="batches") for size in sizes]
            return
        import torch

        pinned = device.type == "cuda"
        dtype = getattr(torch, crops.dtype)
        self._host = [torch.empty(size, dtype=dtype, pin_memory=pinned) for size in sizes]
        # NumPy has no bfloat16: the same bytes as uint16
        as_numpy = torch.uint16 if dtype == torch.bfloat16 else dtype
        self._memory = [host.view(as_numpy).numpy() for host in self._host]

    def views(self, count: int) -> Views:
        """The memory, as the views of ``count`` images."""
        shapes = self._crops.shapes(count, self._channels)
        views = [
            memory[: math.prod(shape)].reshape(shape)
            for memory, shape in zip(self._memory, shapes, strict=True)
        ]
        return views[0] if len(views) == 1 else tuple(views)

    def to_device(self, count: int) -> Any:
        """The views of ``count`` images as torch tensors on the device; None without a device."""
        if self.device is None:
            return None
        shapes = self._crops.shapes(count, self._channels)
        tensors = [
            host[: math.prod(shape)].view(shape).to(self.device, non_blocking=True)
            for host, shape in zip(self._host, shapes, strict=True)
        ]
        if self.device.type == "cuda":
            import torch

            self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._copied.record(torch.cuda.current_stream(self.device))
        return tensors[0] if len(tensors) == 1 else tuple(tensors)

    def wait(self) -> None:
        """Wait until the device has the copy."""
        if self._copied is not None:
            self._copied.synchronize()
            self._copied = None


def _torch_device(device: str | torch.device | None) -> torch.device | None:
    if device is None:
        return None
    import torch

    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"device must be one that torch knows, got {device!r}: {error}") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device must be present on this machine, got {device!r}")
    return found
