"""Functions that the isolation tests run in processes of their own."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from morphobench.errors import CheckError, InputError
from morphobench.measure import (
    current_host_memory_bytes,
    peak_host_memory_bytes,
    report,
    reset_peak_host_memory,
)


class OwnInputError(InputError):
    """A subclass that the caller's process may not know."""


def add(*, a: int, b: int) -> int:
    return a + b


def pid() -> int:
    return os.getpid()


def allocate(*, megabytes: int) -> float:
    block = np.ones((megabytes, 131072), dtype=np.float64)
    return float(block.sum())


def fail(*, kind: str) -> None:
    errors = {"input": OwnInputError, "check": CheckError, "value": ValueError}
    raise errors[kind]("images must be 3, got 2")


def die(*, by: int) -> None:
    os.kill(os.getpid(), by)
    time.sleep(30)


def leave(*, code: int) -> None:
    os._exit(code)


def count(*, to: int) -> str:
    for number in range(to):
        report({"number": number})
    return "counted"


def sleep(*, seconds: float) -> None:
    report(os.getpid())
    time.sleep(seconds)


def not_picklable() -> object:
    return lambda: None


def ignores_interrupt() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


class Counter:
    def __init__(self, *, start: int) -> None:
        if start < 0:
            raise InputError(f"start must be at least 0, got {start}")
        self.value = start

    def add(self, *, by: int) -> int:
        self.value += by
        return self.value

    def allocate(self, *, megabytes: int) -> int:
        self.block = np.ones((megabytes, 131072))
        return megabytes

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def reset_then_grow(*, megabytes: int) -> tuple[bool, int, int | None, int]:
    """Whether the peak could be reset, its growth by ``megabytes``, the size after freeing, and the peak."""
    was_reset = reset_peak_host_memory()
    before = peak_host_memory_bytes()
    block = np.ones((megabytes, 131072), dtype=np.float64)
    grown = peak_host_memory_bytes() - before
    del block
    return was_reset, grown, current_host_memory_bytes(), peak_host_memory_bytes()


class Sleeper:
    """A step that takes a fixed time; the first ``cold`` ones take ten times as long."""

    def __init__(self, *, seconds: float, cold: int = 0) -> None:
        self.seconds, self.cold, self.taken = seconds, cold, 0

    def step(self) -> None:
        self.taken += 1
        time.sleep(self.seconds * (10 if self.taken <= self.cold else 1))

    def steps_taken(self) -> int:
        return self.taken


class Spinner:
    """A step that computes for a fixed time."""

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds

    def step(self) -> None:
        end = time.process_time() + self.seconds
        while time.process_time() < end:
            pass


def variable(*, name: str) -> str | None:
    return os.environ.get(name)
