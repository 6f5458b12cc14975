"""Conditions: read, compared, and who deviates from the others."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from morphobench.measure import Conditions, deviating, differences, readings
from morphobench.measure import conditions as module


def test_what_a_process_is_set_to_is_read() -> None:
    given = Conditions(protocol="corrected-1", batch_size=32, threads=99)
    found = given.read_again()
    assert (found.protocol, found.batch_size) == ("corrected-1", 32)
    assert found.threads == torch.get_num_threads()
    assert found.simd
    assert found.cpu
    assert found.read_again() == found
    if hasattr(os, "sched_getaffinity"):
        assert set(found.affinity) == os.sched_getaffinity(0)
    assert differences(given, found)[0] == f"threads must be 99, got {torch.get_num_threads()}"


def test_a_change_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Conditions().read_again()
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        found = differences(before, before.read_again())
    finally:
        torch.set_num_threads(threads)
    assert found[0] == f"threads must be {threads}, got {threads + 1}"
    assert found[1].endswith("MALLOC_ARENA_MAX=1")
    assert len(found) == 2


def test_the_setup_unlike_the_others_is_named() -> None:
    same = Conditions(threads=2, simd="avx2")
    described = {name: same.describe() for name in ("a", "b", "c")}
    assert deviating(described) == {}
    assert deviating({}) == {}
    described["b"] = replace(same, threads=1).describe()
    assert deviating(described) == {"b": "conditions differ: threads must be 2, got 1"}


def test_readings_and_governor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for core, speed, governor in ((0, 2_000_000, "powersave"), (1, 3_000_000, "performance")):
        folder = tmp_path / f"cpu{core}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(f"{speed}\n")
        (folder / "scaling_governor").write_text(f"{governor}\n")
    monkeypatch.setattr(module, "CPU_FOLDER", tmp_path)
    found = readings()
    assert found["clock_mhz"] == 2500
    load = found["load_average"]
    assert load is not None
    assert load >= 0
    if hasattr(os, "sched_getaffinity") and 0 in os.sched_getaffinity(0):
        assert "powersave" in Conditions().read_again().governor
