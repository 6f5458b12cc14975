"""Counters: CPU time, events of the kernel, energy files; None where nothing is counted."""

from __future__ import annotations

import mmap
import time
from pathlib import Path

import numpy as np
import pytest

from morphobench.measure import counters
from morphobench.measure.counters import SOFTWARE, Counters, open_event, read_event, used

PAGE_FAULTS = 2  # of the kernel's software events, which virtual machines count too


def test_cpu_time_counts_work_and_not_sleep() -> None:
    counter = Counters()
    before = counter.read()
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    worked = used(before, counter.read())
    before = counter.read()
    time.sleep(0.5)  # long beside what threads of earlier tests may still do
    slept = used(before, counter.read())
    assert worked["cpu_ns"] is not None
    assert slept["cpu_ns"] is not None
    assert worked["cpu_ns"] >= 0.05e9
    assert slept["cpu_ns"] < 0.25e9
    assert set(worked) == {"cpu_ns", "instructions", "cycles", "package_joules", "device_joules"}
    assert worked["device_joules"] is None


def test_an_event_of_the_kernel_is_counted() -> None:
    event = open_event(SOFTWARE, PAGE_FAULTS)
    if event is None:
        pytest.skip("this system counts no events for this process")
    fresh = mmap.mmap(-1, 64 * 2**20)  # not from malloc, which may have pages left that are in memory already
    before = read_event(event)
    block = np.frombuffer(fresh, dtype=np.uint8)
    block += 1
    after = read_event(event)
    assert before is not None
    assert after is not None
    assert block.sum() == 64 * 2**20
    assert after - before >= 32  # two MiB at a time where the system has huge pages


def test_hardware_counts_grow_where_there_are_any() -> None:
    counter = Counters()
    before = counter.read()
    total = sum(range(100_000))
    counted = used(before, counter.read())
    assert total == 4999950000
    if before["instructions"] is None:
        assert counted["instructions"] is None
        assert read_event(None) is None
    else:
        assert counted["instructions"] is not None
        assert counted["instructions"] > 100_000


def test_energy_is_read_from_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, energy in ((0, 3_000_000), (1, 500_000)):
        (tmp_path / f"intel-rapl:{number}").mkdir()
        (tmp_path / f"intel-rapl:{number}" / "energy_uj").write_text(f"{energy}\n")
    monkeypatch.setattr(counters, "POWERCAP_FOLDER", tmp_path)
    assert Counters().read()["package_joules"] == 3.5
    monkeypatch.setattr(counters, "POWERCAP_FOLDER", tmp_path / "none")
    assert Counters().read()["package_joules"] is None


def test_a_counter_that_started_anew_gives_nothing() -> None:
    assert used({"a": 5.0, "b": 1.0, "c": None}, {"a": 2.0, "b": 4.0, "c": 1.0}) == {
        "a": None,
        "b": 3.0,
        "c": None,
    }
