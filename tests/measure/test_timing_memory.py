"""Interleaved timing and the peaks of memory."""

from __future__ import annotations

import importlib.util
import mmap
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.measure import (
    Estimate,
    Timings,
    free_host_memory_bytes,
    heap_profile,
    interleaved,
    mad,
    median,
    median_interval,
    peak_device_memory,
    private_memory_bytes,
    run_isolated,
    sampled_private_memory,
)


def test_rounds_take_turns_in_reversing_order() -> None:
    calls: list[str] = []
    timings = interleaved(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warmup=1
    )
    assert calls == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert {name: len(values) for name, values in timings.rounds_ns.items()} == {"a": 3, "b": 3}


def test_lead_in_goes_right_before_each_recorded_call() -> None:
    calls: list[str] = []
    timings = interleaved(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2, warmup=0, lead_in=1
    )
    assert calls == ["a", "a", "b", "b", "b", "b", "a", "a"]
    assert {name: len(values) for name, values in timings.rounds_ns.items()} == {"a": 2, "b": 2}


def test_budget_stops_after_a_whole_round() -> None:
    timings = interleaved({"a": lambda: None, "b": lambda: None}, rounds=1000, warmup=0, budget_s=0.0)
    assert len(timings.rounds_ns["a"]) == len(timings.rounds_ns["b"]) == 1


def test_ratio_is_the_median_of_paired_ratios() -> None:
    timings = Timings({"slow": (10, 100, 30), "fast": (5, 10, 10)})
    assert timings.ratio("slow", to="fast") == 3.0
    assert timings.median_ns("slow") == 30.0
    assert timings.mad_ns("slow") == 20.0
    with pytest.raises(InputError, match="slow, fast"):
        timings.median_ns("other")


@pytest.mark.parametrize(
    ("kwargs", "name"),
    [
        ({"callables": {}}, "callables"),
        ({"rounds": 0}, "rounds"),
        ({"warmup": -1}, "warmup"),
        ({"lead_in": -1}, "lead_in"),
    ],
)
def test_bad_arguments_are_named(kwargs: dict[str, int], name: str) -> None:
    with pytest.raises(InputError, match=f"^{name} must"):
        interleaved(**{"callables": {"a": lambda: None}, **kwargs})  # type: ignore[arg-type]


def test_median_and_mad() -> None:
    assert median([3, 1, 2, 10]) == 2.5
    assert mad([1, 1, 2, 2, 4, 6, 9]) == 1.0
    with pytest.raises(InputError, match="must be at least one"):
        median([])


def test_peak_of_host_memory_follows_allocation_and_resets() -> None:
    # In a process of its own: this one may hold freed memory, which a new array would grow into unseen.
    was_reset, grown, current, peak = run_isolated(
        "tests.support.measure_targets:reset_then_grow", {"megabytes": 100}
    ).value
    if not was_reset:
        pytest.skip("this system cannot reset the peak of a process")
    assert 90 * 2**20 < grown < 140 * 2**20
    assert current is not None
    assert current < peak


def test_no_device_peak_on_the_cpu() -> None:
    assert peak_device_memory("cpu") is None


def test_interval_of_a_median_is_between_two_values() -> None:
    assert median_interval([1, 2, 3, 4, 5]).spread == float("inf")  # too few
    six = median_interval([1, 2, 3, 4, 5, 6])
    assert (six.low, six.value, six.high) == (1, 3.5, 6)
    # n = 20: 15 is the largest rank with P(B(20, 1/2) < 6) = 0.0207
    twenty = median_interval(range(1, 21))
    assert (twenty.low, twenty.value, twenty.high) == (6, 10.5, 15)
    assert twenty.scaled(2) == Estimate(21, 12, 30)


def test_a_heap_profile_needs_memray(tmp_path: Path) -> None:
    with heap_profile(None):
        pass
    if importlib.util.find_spec("memray") is None:
        file = tmp_path / "heap.bin"
        with pytest.raises(InputError, match=r"memray must be installed"), heap_profile(file):
            pass
        return
    with heap_profile(tmp_path / "heap.bin"):
        block = bytearray(2**20)
    assert len(block) == 2**20
    assert (tmp_path / "heap.bin").stat().st_size > 0


def test_private_memory_leaves_out_mapped_files(tmp_path: Path) -> None:
    size = 64 << 20
    before = private_memory_bytes()
    assert before is not None
    mapped = np.memmap(tmp_path / "file", np.uint8, "w+", shape=size)
    mapped[:] = 1
    assert (private_memory_bytes() or 0) - before < size / 2
    with sampled_private_memory(every_s=0.001) as peaks:
        # not from malloc, which may hand out what this process has freed and still holds
        own = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        np.frombuffer(own, np.uint8)[:] = 1
        time.sleep(0.2)
    assert peaks[os.getpid()] - before > 0.9 * size
    assert private_memory_bytes(2**22 + 1) is None  # no such process


def test_memory_of_started_processes_is_sampled() -> None:
    wait = [sys.executable, "-c", "import time; a = bytearray(b'x') * (50 << 20); time.sleep(1)"]
    with subprocess.Popen(wait) as process, sampled_private_memory(every_s=0.01) as peaks:
        process.wait()
    assert peaks[process.pid] > 50 << 20


def test_what_a_container_may_take_counts_as_free(tmp_path: Path) -> None:
    host = free_host_memory_bytes(limits=tmp_path)  # no such files
    assert host > 0
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_host_memory_bytes(limits=tmp_path) > 5000
    (tmp_path / "memory.max").write_text("5000\n")
    assert free_host_memory_bytes(limits=tmp_path) == 4000
    (tmp_path / "memory.max").write_text("500\n")
    assert free_host_memory_bytes(limits=tmp_path) == 0
