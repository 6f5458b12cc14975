"""Background prefetching of an iterator with a bounded number of items."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class Prefetcher(Generic[_T]):
    """Iterator over the same items in the same order, made by a background thread.

    At most ``depth`` items exist at a time: one in use, the others made or being made. The item in use is
    given up when the caller asks for the next one, so ``items`` may fill ``depth`` buffers in turn.

    An exception of ``items`` is raised where its item would have been. The thread ends, and ``items`` is
    closed, by ``close``, at the end of the items, after an exception, when the last reference is dropped and
    at the end of the program.

    Args:
        items: the iterator; it is used by the thread only.
        depth: most items at a time.
        name: name of the thread.

    Attributes:
        waited_s: seconds that the caller has waited for items in total.
    """

    def __init__(self, items: Iterator[_T], *, depth: int = 2, name: str = "morphobench-views") -> None:
        self._ready: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._free = threading.Semaphore(depth)
        self._stopped = threading.Event()
        self._holds = False
        self.waited_s = 0.0
        # The thread holds no reference to this object: a dropped one is collected and ends the thread.
        work = (items, self._ready, self._free, self._stopped)
        self._thread = threading.Thread(target=_work, args=work, name=name, daemon=True)
        # At exit too: a daemon thread inside the extension must not meet the end of the interpreter.
        weakref.finalize(self, _stop, self._stopped, self._free, self._thread)
        self._thread.start()

    def __iter__(self) -> Iterator[_T]:
        return self

    def __next__(self) -> _T:
        if self._stopped.is_set():
            raise StopIteration
        if self._holds:
            self._holds = False
            self._free.release()
        before = time.perf_counter()
        kind, made = self._ready.get()
        self.waited_s += time.perf_counter() - before
        if kind == "item":
            self._holds = True
            item: _T = made
            return item
        self.close()
        if kind == "error":
            raise made
        raise StopIteration

    def close(self) -> None:
        """Stop the thread and wait for it; no further item comes. May be called twice."""
        _stop(self._stopped, self._free, self._thread)

    def __enter__(self) -> Prefetcher[_T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _work(
    items: Iterator[Any],
    ready: SimpleQueue[tuple[str, Any]],
    free: threading.Semaphore,
    stopped: threading.Event,
) -> None:
    try:
        while free.acquire() and not stopped.is_set():
            ready.put(("item", next(items)))
    except StopIteration:
        ready.put(("end", None))
    except BaseException as error:  # raised again where the items are used
        ready.put(("error", error))
    finally:
        if hasattr(items, "close"):
            items.close()


def _stop(stopped: threading.Event, free: threading.Semaphore, thread: threading.Thread) -> None:
    stopped.set()
    free.release()
    if thread is not threading.current_thread():
        thread.join()
