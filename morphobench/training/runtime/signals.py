"""Ctrl-C and SIGTERM wait for the end of a step, so that what is saved is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """The signal that was received since training began."""

    def __init__(self) -> None:
        """Begin without a signal."""
        self.received: int | None = None

    def handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Note the signal; a second one does not wait.

        Args:
            number: of the signal.
            frame: not used.
        """
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number

    def raise_received(self) -> None:
        """Raise what the signal would have raised: KeyboardInterrupt, or SystemExit(143) for SIGTERM."""
        if self.received == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        if self.received is not None:
            raise KeyboardInterrupt


@contextmanager
def deferred_interrupts() -> Iterator[Interrupts]:
    """Note SIGINT and SIGTERM within the block instead of raising them.

    Outside the main thread nothing changes: only the main thread may set handlers.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interrupts.handle) for number in numbers}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
