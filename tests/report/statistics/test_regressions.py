"""Regressions: intervals of ratios, false alarms and planted changes under noise of a busy machine."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from morphobench.measure import Estimate, RoundTimes
from morphobench.report.statistics.changes import UNSTABLE, ratio_of
from morphobench.report.statistics.regressions import compare_benchmarks, compare_records
from morphobench.run.record import Record

NOISE: dict[str, list[int]] = json.loads(
    (Path(__file__).parents[2] / "support" / "timing_noise.json").read_text("utf-8")
)
"""Microseconds of a step by round, recorded while ten processes wanted two cores."""
ROUNDS, BLOCK = 24, 6
SETUPS = [name for name in NOISE if name != "yardstick"]
ONE_BUSY = 0.2
"""Share of the recorded noise's size (38 % of a time) that one busy process makes."""


def benchmark_file(
    generator: np.random.Generator, *, slower: dict[str, float], size: float = 1.0
) -> dict[str, Any]:
    """A run of the suite: blocks of recorded rounds, their noise scaled by ``size``, slowdowns planted."""
    starts = generator.integers(0, len(NOISE["yardstick"]) - BLOCK + 1, ROUNDS // BLOCK)
    rows = (starts[:, None] + np.arange(BLOCK)).ravel()
    turns = {
        name: tuple({"wall_ns": float(t)} for t in slower.get(name, 1.0) * np.array(values)[rows] ** size)
        for name, values in NOISE.items()
    }
    times = RoundTimes(turns, dict.fromkeys(NOISE, 1), dict.fromkeys(NOISE, 0))
    benchmarks = []
    for name in SETUPS:
        relative = times.ratio(name, to="yardstick")
        extra = {
            "yardstick": 1,
            "relative_time": relative.value,
            "relative_time_interval": [relative.low, relative.high],
        }
        benchmarks.append({"name": name, "stats": {"median": times.time(name).value}, "extra_info": extra})
    return {"benchmarks": benchmarks}


def test_ratio_of_two_estimates() -> None:
    found = ratio_of(Estimate(2.0, 1.8, 2.2), Estimate(1.0, 0.9, 1.1))
    assert found.value == 2.0
    assert found.low == pytest.approx(2 * math.exp(-math.hypot(math.log(2 / 1.8), math.log(1.1))))
    assert found.high == pytest.approx(2 * math.exp(math.hypot(math.log(1.1), math.log(1 / 0.9))))
    assert math.isnan(ratio_of(Estimate(2.0), Estimate(1.0, 0.9, 1.1)).low)


@pytest.mark.parametrize("size", [1.0, ONE_BUSY])
def test_the_same_commit_raises_no_alarm_under_recorded_noise(size: float) -> None:
    generator, alarms = np.random.default_rng(0), 0
    for _ in range(100):
        pair = [benchmark_file(generator, slower={}, size=size) for _ in range(2)]
        alarms += bool(compare_benchmarks(*pair).worse)
    assert alarms <= 1  # none in 20 of 20


@pytest.mark.parametrize("everything", [False, True], ids=["one setup", "all"])
def test_a_slowdown_of_15_percent_is_found_under_recorded_noise(everything: bool) -> None:
    generator = np.random.default_rng(1)
    slower = dict.fromkeys(SETUPS if everything else SETUPS[:1], 1.15)
    found = 0
    for _ in range(100):
        changes = compare_benchmarks(
            benchmark_file(generator, slower={}, size=ONE_BUSY),
            benchmark_file(generator, slower=slower, size=ONE_BUSY),
        )
        names = {change.name for change in changes.worse}
        found += bool(names & {*slower, f"geometric mean of {len(SETUPS)} benchmarks:"})
    assert found >= 95


def records(generator: np.random.Generator, *, level: float, seeds: int = 5) -> list[Record]:
    """A run whose metric differs between seeds by what the data are, and within by what training is."""
    data = np.random.default_rng(7).normal(0, 0.05, seeds)
    metrics = level + data + generator.normal(0, 0.005, seeds)
    return [
        Record("a/b", "corrected-1", seed, {"classification.roc_auc": float(metrics[seed])}, kind="setup")
        for seed in range(seeds)
    ]


def worse(base: list[Record], new: list[Record]) -> bool:
    return bool(compare_records(base, new, directions={"classification.roc_auc": "up"}).worse)


def test_a_loss_of_quality_is_found_and_none_where_there_is_none() -> None:
    generator = np.random.default_rng(2)
    same = sum(worse(records(generator, level=0.8), records(generator, level=0.8)) for _ in range(100))
    lost = sum(worse(records(generator, level=0.8), records(generator, level=0.765)) for _ in range(100))
    gained = sum(worse(records(generator, level=0.8), records(generator, level=0.85)) for _ in range(100))
    assert same <= 1
    assert lost >= 95
    assert gained == 0


def test_unstable_times_are_shown_and_not_judged() -> None:
    def measured(time: float, stable: bool) -> dict[str, Any]:
        extra = {"yardstick": 1, "relative_time": time, "relative_time_interval": [0.99 * time, 1.01 * time]}
        extras = {"a": {**extra, "stable": True}, "b": {**extra, "stable": stable}}
        return {
            "benchmarks": [
                {"name": name, "stats": {"median": 1.0}, "extra_info": one} for name, one in extras.items()
            ]
        }

    found = compare_benchmarks(measured(1.0, True), measured(1.5, False))
    assert [(one.verdict, one.note) for one in found.changes] == [("worse", ""), ("", UNSTABLE)]
    assert found.means == ()
    assert [one.figure for one in found.worse] == ["time"]


@pytest.mark.parametrize(
    ("half", "verdict", "note"), [(0.08, "worse", ""), (0.12, "", UNSTABLE)], ids=["stable", "unstable"]
)
def test_cpu_time_is_judged_where_the_time_is_unstable(half: float, verdict: str, note: str) -> None:
    def measured(cpu: float, *, stable: bool) -> dict[str, Any]:
        extra = {"yardstick": 1, "stable": stable, "relative_time": 1.0, "relative_time_interval": [0.9, 1.1]}
        extra |= {
            "relative_cpu_time": cpu,
            "relative_cpu_time_interval": [(1 - half) * cpu, (1 + half) * cpu],
        }
        return {"benchmarks": [{"name": "a", "stats": {"median": 1.0}, "extra_info": extra}]}

    changes = compare_benchmarks(measured(1.0, stable=True), measured(1.15, stable=False)).changes
    assert [(one.figure, one.verdict, one.note) for one in changes] == [
        ("time", "", UNSTABLE),
        ("cpu_time", verdict, note),
    ]
    changes = compare_benchmarks(measured(1.0, stable=True), measured(1.15, stable=True)).changes
    assert [one.figure for one in changes] == ["time"]
