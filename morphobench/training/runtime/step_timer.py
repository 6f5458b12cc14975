"""Wall time of training steps, on the host or, without making the host wait, on an accelerator."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TypeVar

import torch

_T = TypeVar("_T")


class StepTimer:
    """Times each call; an accelerator's times are read once an epoch, from events on its own stream."""

    def __init__(self, device: torch.device) -> None:
        """Begin without times.

        Args:
            device: where the steps compute.
        """
        self._on_device = device.type == "cuda"
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self._first: int | None = None
        self.times_ns: list[int] = []

    def __call__(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call a function and keep the time it took.

        Args:
            function: the step.
            *arguments: what it is given.

        Returns:
            What it returned.
        """
        if self._on_device:
            begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            begin.record()
            result = function(*arguments)
            end.record()
            self._events.append((begin, end))
            return result
        start = time.perf_counter_ns()
        result = function(*arguments)
        self._add(time.perf_counter_ns() - start)
        return result

    def _add(self, time_ns: int) -> None:
        # the first step of a process also allocates and chooses kernels
        if self._first is None:
            self._first = time_ns
        else:
            self.times_ns.append(time_ns)

    def read(self) -> list[int]:
        """Return all times in ns, without the first unless it is the only one; waits for the device."""
        if self._events:
            torch.cuda.synchronize()
            for begin, end in self._events:
                self._add(round(begin.elapsed_time(end) * 1e6))
            self._events.clear()
        if self.times_ns or self._first is None:
            return self.times_ns
        return [self._first]

    def median_ns(self) -> float:
        """Return the median of :meth:`read`; NaN when nothing has been timed."""
        times = self.read()
        return statistics.median(times) if times else float("nan")
