"""Views prepared in the background while the trainer computes."""

from __future__ import annotations

import atexit
import queue
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from morphobench.augment.draws import check_image_ids, check_integer
from morphobench.augment.multi_crop import MultiCrop
from morphobench.errors import InputError
from morphobench.types import Float32Array, Int64Array, UInt8Array

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ViewBatch:
    """The views of one batch.

    ``rows`` int64 (B,): which images of the store. ``views`` float32 (V, B, C, S, S), and ``tensor``, the
    same as a torch tensor: on the CPU the same memory, on a CUDA device a copy under way on the current
    stream. The memory is filled anew when the next batch is asked for.
    """

    rows: Int64Array
    views: Float32Array
    tensor: torch.Tensor | None


class _Buffer:
    """Memory for one batch, and the copy to a device that must end before it is filled again."""

    def __init__(self, shape: tuple[int, ...], device: torch.device | None) -> None:
        self.device = device
        self.copied: Any = None
        if device is None:
            self.host: torch.Tensor | None = None
            self.views: Float32Array = np.empty(shape, np.float32)
        else:
            import torch

            self.host = torch.empty(shape, dtype=torch.float32, pin_memory=device.type == "cuda")
            self.views = self.host.numpy()

    def wait(self) -> None:
        if self.copied is not None:
            self.copied.synchronize()
            self.copied = None

    def to_device(self, count: int) -> torch.Tensor | None:
        if self.host is None or self.device is None:
            return None
        host = self.host if count == self.host.shape[1] else self.host[:, :count]
        if self.device.type != "cuda":
            return host.to(self.device)
        import torch

        moved = host.to(self.device, non_blocking=True)
        self.copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self.copied.record(torch.cuda.current_stream(self.device))
        return moved


class ViewFeed:
    """An iterator of ViewBatch that makes the next batches in a thread of its own.

    ``batches``: the rows of ``images`` in each batch, int64 (B,), no longer than the first; read in the
    background. ``image_ids`` (len(images),): what the draws are keyed by. ``depth``: buffers, allocated once;
    the thread waits when all are full (two: one being used, one being filled). ``device``: None for NumPy
    only; a torch device for ``ViewBatch.tensor`` (pinned memory and non-blocking copies for CUDA).

    An exception of the thread, or of ``batches``, is raised where the batch would have been. Close it, or use
    it in a ``with``, when leaving early; ``waited_s`` says how long the consumer has waited in all.
    """

    def __init__(
        self,
        crops: MultiCrop,
        images: UInt8Array,
        image_ids: Int64Array,
        batches: Iterable[Int64Array],
        *,
        epoch: int,
        depth: int = 2,
        device: str | torch.device | None = None,
    ) -> None:
        self._ids = check_image_ids(image_ids)
        if len(self._ids) != len(images):
            raise InputError(f"image_ids: one for each of {len(images)} images wanted, got {len(self._ids)}")
        if check_integer("depth", depth, 64) < 1:
            raise InputError("depth: at least 1 wanted, got 0")
        if len(crops.shapes(1, 1)) > 1 or crops.dtype != "float32":
            raise InputError(f"crops: float32 views of one size wanted, got {crops!r}")
        self._crops, self._images, self._epoch, self._depth = crops, images, epoch, depth
        self._device = _torch_device(device)
        self._free: queue.SimpleQueue[_Buffer | None] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[tuple[_Buffer, Int64Array] | BaseException | None] = (
            queue.SimpleQueue()
        )
        self._held: _Buffer | None = None
        self._batch_size: int | None = None
        self._closed = threading.Event()
        self.waited_s = 0.0
        self._thread = threading.Thread(
            target=self._work, args=(iter(batches),), name="morphobench-views", daemon=True
        )
        _OPEN.add(self)
        self._thread.start()

    def __iter__(self) -> Iterator[ViewBatch]:
        return self

    def __next__(self) -> ViewBatch:
        if self._closed.is_set():
            raise StopIteration
        if self._held is not None:
            self._free.put(self._held)
            self._held = None
        before = time.perf_counter()
        made = self._ready.get()
        self.waited_s += time.perf_counter() - before
        if made is None:
            self.close()
            raise StopIteration
        if isinstance(made, BaseException):
            self.close()
            raise made
        self._held, rows = made
        return ViewBatch(rows, self._held.views[:, : len(rows)], self._held.to_device(len(rows)))

    def close(self) -> None:
        """Stop the thread and wait for it; the feed gives no further batch. Harmless when repeated."""
        self._closed.set()
        self._free.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> ViewFeed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _work(self, batches: Iterator[Int64Array]) -> None:
        try:
            for made, rows in enumerate(batches):
                batch = np.ascontiguousarray(rows, np.int64)
                buffer = self._buffer(len(batch)) if made < self._depth else self._free.get()
                if buffer is None or self._closed.is_set():
                    return
                buffer.wait()
                self._fill(buffer, batch)
                self._ready.put((buffer, batch))
            self._ready.put(None)
        except BaseException as error:
            self._ready.put(error)

    def _buffer(self, first_batch_size: int) -> _Buffer:
        if self._batch_size is None:
            self._batch_size = first_batch_size
        channels = self._images.shape[1] if self._images.ndim == 4 else 1
        return _Buffer(self._crops.shapes(self._batch_size, channels)[0], self._device)

    def _fill(self, buffer: _Buffer, rows: Int64Array) -> None:
        if len(rows) > buffer.views.shape[1]:
            raise InputError(f"batches: at most {buffer.views.shape[1]} rows wanted, got {len(rows)}")
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self._ids):
            raise InputError(
                f"batches: rows in 0..{len(self._ids) - 1} wanted, got {rows.min()}..{rows.max()}"
            )
        shape = self._images.shape[-2:] if self._images.ndim == 3 else self._images.shape[-3:]
        params = self._crops.draw(self._ids[rows], self._epoch, shape)
        if len(rows) == buffer.views.shape[1]:
            self._crops.apply(self._images, params, buffer.views, rows=rows)
        else:
            buffer.views[:, : len(rows)] = self._crops.apply(self._images, params, rows=rows)


def _torch_device(device: str | torch.device | None) -> torch.device | None:
    if device is None:
        return None
    import torch

    return torch.device(device)


# A daemon thread inside the extension must not meet the end of the interpreter.
_OPEN: weakref.WeakSet[ViewFeed] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for feed in list(_OPEN):
        feed.close()
