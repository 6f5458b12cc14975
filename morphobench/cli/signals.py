"""Ctrl-C and SIGTERM: what runs is cleaned up, and the process ends in time even where it cannot be."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LIMIT_S = 2.0
"""Seconds that a command has for cleaning up after a signal."""
STEP_LIMIT_S = 5.0
"""The same while a worker process is at work, which ends its training step and saves it first."""


@contextmanager
def ended_in_time() -> Iterator[None]:
    """Raise KeyboardInterrupt for SIGINT and SystemExit(143) for SIGTERM within the block, and insist.

    Where the exception does not end the block within `LIMIT_S` or `STEP_LIMIT_S`, and at a second signal, the
    process ends at once with 130 or 143. That loses nothing: every file is written whole or not at all, and
    worker processes end with their parent. Outside the main thread nothing changes.

    Yields:
        Nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    before = {number: signal.signal(number, _raise) for number in SIGNALS}
    # The number of a signal is written there at once, even while the main thread is in a long call of C code,
    # where Python's own handlers have to wait.
    wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(ours,), name="morphobench-signals", daemon=True)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        theirs.close()
        watch.join()
        ours.close()


def _raise(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            # An exception in the middle of an import goes through C++ code that was not written for it: some
            # libraries abort. Nothing is half done during an import.
            _end(number)
        frame = frame.f_back
    # Until the process ends: libraries' half-made objects may fail to close, of which nobody needs to know.
    sys.unraisablehook = lambda _: None
    if number == signal.SIGTERM:
        raise SystemExit(128 + signal.SIGTERM)
    raise KeyboardInterrupt


def _watch(signals: socket.socket) -> None:
    """Count the time since the first signal; end the process when it is over, or at a second one."""
    first = signals.recv(1)
    while first and first[0] not in SIGNALS:  # the number of another signal
        first = signals.recv(1)
    if not first:  # the block has ended
        return
    for limit_s in (LIMIT_S, STEP_LIMIT_S - LIMIT_S):
        signals.settimeout(limit_s)
        try:
            while (more := signals.recv(1)) and more[0] not in SIGNALS:
                continue
        except TimeoutError:
            if limit_s == LIMIT_S and _worker_at_work():
                continue
            _end(first[0])
        if more:
            _end(more[0])
        return


def _worker_at_work() -> bool:
    isolation = sys.modules.get("morphobench.measure.isolation")  # imported where there is a worker
    return isolation is not None and isolation.processes_at_work() > 0


def _end(number: int) -> NoReturn:
    os.write(2, b"morphobench: interrupted\n")
    leave(128 + number)


def leave(code: int) -> NoReturn:
    """End the process without Python's clean-up, in which threads of libraries can crash it.

    Args:
        code: Exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, RuntimeError):  # closed, or in use by the interrupted thread
            continue
    os._exit(code)
