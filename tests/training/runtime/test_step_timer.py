"""Times of steps on the host: which count, and what is returned."""

from __future__ import annotations

import math
import time

import pytest
import torch

from morphobench.training.runtime.step_timer import StepTimer


@pytest.fixture
def timer(monkeypatch: pytest.MonkeyPatch) -> StepTimer:
    """A timer of steps that take 100, 1, 5 and 3 ns."""
    readings = iter([0, 100, 200, 201, 300, 305, 400, 403])
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(readings))
    return StepTimer(torch.device("cpu"))


def test_nothing_timed_is_no_number() -> None:
    timer = StepTimer(torch.device("cpu"))
    assert timer.read() == []
    assert math.isnan(timer.median_ns())


def test_the_first_step_counts_only_where_it_is_alone(timer: StepTimer) -> None:
    assert timer(lambda a, b: a + b, 1, 2) == 3
    assert timer.read() == [100]
    for _ in range(3):
        timer(lambda: None)
    assert timer.read() == [1, 5, 3]
    assert timer.median_ns() == 3
