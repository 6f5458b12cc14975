"""Views prepared in the background while the trainer computes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from morphobench.augment.multi_crop import DTYPES, Images, MultiCrop, Views
from morphobench.augment.prefetch import Ahead
from morphobench.augment.validation import allocate, check_image_ids, check_images, check_integer
from morphobench.errors import InputError
from morphobench.types import Int64Array

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ViewBatch:
    """The views of one batch.

    ``rows`` int64 (B,): which images of the store. ``views``: as MultiCrop returns them, (V, B, C, S, S) or a
    tuple of such. ``tensor``: the same as torch tensors: on the CPU the same memory, on a CUDA device a copy
    under way on the current stream. The memory is filled anew when the next batch is asked for.
    """

    rows: Int64Array
    views: Views
    tensor: Any


class ViewFeed:
    """An iterator of ViewBatch that makes the next batches in a thread of its own.

    ``batches``: the rows of ``images`` in each batch, integers (B,), no longer than the first; read in the
    background. ``image_ids`` (len(images),): what the draws are keyed by. ``depth``: buffers, allocated once;
    the thread waits when all are full (two: one being used, one being filled). ``device``: None for NumPy
    only; a torch device for ``ViewBatch.tensor`` (pinned memory and non-blocking copies for CUDA).

    An exception of the thread, or of ``batches``, is raised where the batch would have been. Close it, or use
    it in a ``with``, when leaving early; ``waited_s`` says how long the consumer has waited in all.

    Training has a feed of its own (``training/data/loader.py``) on the same thread (``Ahead``): its items are
    optimizer steps, with labels, BYOL's pairs, a process's part of each batch and a step to begin at, none of
    which a user of MultiCrop has.
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
            raise TypeError(f"crops: a MultiCrop wanted, got {type(crops).__name__}")
        check_images(images)
        ids = check_image_ids(image_ids)
        if len(ids) != len(images):
            raise InputError(f"image_ids: one for each of {len(images)} images wanted, got {len(ids)}")
        check_integer("epoch", epoch, 2**32 - 1)
        check_integer("depth", depth, 64, least=1)
        if not isinstance(batches, Iterable):
            raise TypeError(f"batches: arrays of rows wanted, got {type(batches).__name__}")
        work = _Work(crops, images, ids, epoch, depth, _torch_device(device))
        self._ahead = Ahead(work.filled(iter(batches)), depth=depth)

    @property
    def waited_s(self) -> float:
        """Seconds that the consumer has waited for batches in all."""
        return self._ahead.waited_s

    def __iter__(self) -> Iterator[ViewBatch]:
        return self

    def __next__(self) -> ViewBatch:
        buffer, rows = next(self._ahead)
        return ViewBatch(rows, buffer.views(len(rows)), buffer.to_device(len(rows)))

    def close(self) -> None:
        """Stop the thread and wait for it; the feed gives no further batch. Harmless when repeated."""
        self._ahead.close()

    def __enter__(self) -> ViewFeed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True)
class _Work:
    """What the thread does; apart from the feed, so that a feed that is dropped can be collected."""

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
                raise InputError(f"batches: at most {buffer.most} rows wanted, got {len(rows)}")
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
            raise InputError(f"batches: integers (B,) wanted, got {error}") from error
        if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
            raise InputError(f"batches: integers (B,) wanted, got {rows.dtype} {rows.shape}")
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self.ids):
            raise InputError(
                f"batches: rows in 0..{len(self.ids) - 1} wanted, got {rows.min()}..{rows.max()}"
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
        """Until the device has the copy."""
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
        raise InputError(f"device: one that torch knows wanted, got {device!r}: {error}") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device: one that torch finds here wanted, got {device!r}")
    return found
