"""An object in a process of its own: state, errors, memory, death."""

from __future__ import annotations

import pytest

from morphobench.errors import InputError
from morphobench.measure import IsolatedError, Remote

COUNTER = "tests.support.measure_targets:Counter"


def test_the_object_keeps_its_state_between_calls() -> None:
    with Remote(COUNTER, {"start": 3}) as counter:
        assert counter.call("add", by=2) == 5
        assert counter.call("add", by=2) == 7


def test_errors_come_back_and_the_object_lives_on() -> None:
    with Remote(COUNTER, {"start": 0}) as counter:
        with pytest.raises(IsolatedError, match="TypeError"):
            counter.call("add", by="x")
        with pytest.raises(IsolatedError, match="AttributeError"):
            counter.call("multiply")
        assert counter.call("add", by=1) == 1


def test_an_error_of_the_constructor_is_raised_here() -> None:
    with pytest.raises(InputError, match="start: 0 or more wanted, got -1"):
        Remote(COUNTER, {"start": -1})
    with pytest.raises(InputError, match="target:"):
        Remote("nowhere")


def test_memory_is_that_of_the_object() -> None:
    with Remote(COUNTER, {"start": 0}) as small, Remote(COUNTER, {"start": 0}) as large:
        before = small.peak_host_memory_bytes()
        large.call("allocate", megabytes=200)
        assert large.peak_host_memory_bytes() - before > 180 * 2**20
        assert abs(small.peak_host_memory_bytes() - before) < 8 * 2**20


def test_a_dead_process_is_an_error_not_a_hang() -> None:
    with Remote(COUNTER, {"start": 0}) as counter, pytest.raises(IsolatedError, match="killed by SIGKILL"):
        counter.call("die")
