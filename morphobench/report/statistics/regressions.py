"""What changed between two commits: costs as ratios, quality as differences, each with an interval; no I/O.

Costs and quality are judged apart. A figure is worse only where its change is significant, that is where the
95 % interval excludes no change, and beyond the figure's threshold. Where a time was unstable, CPU time is
judged in its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from morphobench.errors import InputError
from morphobench.measure import Estimate, median, median_interval
from morphobench.report.statistics.changes import COSTS, UNSTABLE, Change, Sides, cost_change, time_changes
from morphobench.report.statistics.comparisons import mean_interval
from morphobench.run.record import Record
from morphobench.types import Direction

BOUNDED_LOSS, OTHER_LOSS = 0.02, 0.05
"""Largest loss that passes: of a metric between -1 and 1, and, as a share of its value, of any other."""
_BEFORE_AND_AFTER = "BASE", "NEW"
_TIMES = {
    "time": ("relative_time", "relative_time_interval"),
    "cpu_time": ("relative_cpu_time", "relative_cpu_time_interval"),
    "wall_time": ("time_per_view_ns", "time_per_view_interval_ns"),
}
"""By figure, the keys of its value and interval in a record."""


@dataclass(frozen=True)
class Regressions:
    """All figures that both have, geometric means of the costs, and what must be known to read them.

    Attributes:
        changes: by name and figure.
        means: geometric mean over names of each cost's ratio, where there are several.
        notes: such as different machines.
    """

    changes: tuple[Change, ...]
    means: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def worse(self) -> tuple[Change, ...]:
        """What is significantly worse than its threshold allows."""
        return tuple(change for change in (*self.changes, *self.means) if change.verdict == "worse")


def compare_benchmarks(
    base: Mapping[str, Any], new: Mapping[str, Any], *, tolerance: float | None = None
) -> Regressions:
    """Compare two files of pytest-benchmark, benchmark by benchmark.

    Args:
        base: content of the one.
        new: content of the other.
        tolerance: largest ratio of times that passes, of wall times too; None: each figure's own, and
            wall times of benchmarks without a yardstick or peer are shown only.

    Returns:
        The changes.

    Raises:
        InputError: where they share no benchmark, or were made under other protocols or of other data.
    """
    sides = [
        _benchmarks(content, which) for content, which in zip((base, new), _BEFORE_AND_AFTER, strict=True)
    ]
    before, after = sides
    changes = []
    for name in (name for name in before if name in after):
        one, other = before[name], after[name]
        _require_same(name, *((item.get("extra_info") or {}) for item in (one, other)))
        changes += _benchmark_changes(name, one, other, tolerance)
    notes = _only_in(before, after, "benchmark")
    machines = [_machine(content) for content in (base, new)]
    if machines[0] != machines[1]:
        notes.append(f"warning: different machines ({machines[0]}; {machines[1]}): times compare badly")
    return _regressions(changes, notes, "benchmark", tolerance)


def compare_records(
    base: Sequence[Record],
    new: Sequence[Record],
    *,
    directions: Mapping[str, Direction],
    tolerance: float | None = None,
    metric_tolerance: float | None = None,
) -> Regressions:
    """Compare two runs, setup by setup.

    Args:
        base: records of the one.
        new: records of the other.
        directions: which way each metric is better; metrics of direction "none" are left out.
        tolerance: largest ratio of costs that passes; None: each figure's own.
        metric_tolerance: largest loss of a metric that passes; None: 0.02, or 5 % of its value where it is
            not between -1 and 1.

    Returns:
        The changes.

    Raises:
        InputError: where they share no setup, or were made under other protocols or of other data.
    """
    for what, value in _SAME.items():
        _require_one(what, *(sorted({str(value(record)) for record in side}) for side in (base, new)))
    before, after = _by_setup(base), _by_setup(new)
    changes: list[Change] = []
    for name in (name for name in before if name in after):
        changes += _record_costs(name, before[name], after[name], tolerance)
        for metric, direction in directions.items():
            if direction != "none":
                changes += _quality(name, metric, direction, before[name], after[name], metric_tolerance)
    notes = _only_in(before, after, "setup")
    for what, read in _CONDITIONS.items():
        first, second = (sorted({str(read(record))[:40] for record in side}) for side in (base, new))
        if first != second:
            notes.append(f"warning: different {what}: {', '.join(first)} and {', '.join(second)}")
    return _regressions(changes, notes, "setup", tolerance)


_SAME: dict[str, Callable[[Record], object]] = {
    "protocol": lambda record: record.protocol,
    "data": lambda record: record.data.content_sha256,
}
_CONDITIONS: dict[str, Callable[[Record], object]] = {
    "machines": lambda record: record.environment.cpu,
    "threads": lambda record: record.environment.threads,
    "presets": lambda record: record.preset,
    "epochs": lambda record: record.epochs,
}


def _benchmark_changes(
    name: str, one: Mapping[str, Any], other: Mapping[str, Any], tolerance: float | None
) -> list[Change]:
    extras = [item.get("extra_info") or {} for item in (one, other)]
    times: dict[str, Sides] = {
        figure: [_interval(extra, *keys) for extra in extras] for figure, keys in _TIMES.items()
    }
    times["wall_time"] = [
        median_interval(item["stats"].get("data") or [item["stats"]["median"]]) for item in (one, other)
    ]
    changes = time_changes(
        name,
        times,
        comparable=extras[0].get("yardstick") == extras[1].get("yardstick"),
        stable=all(extra.get("stable") is not False for extra in extras),
        tolerance=tolerance,
    )
    for figure in ("peak_host_memory_bytes", "peak_device_memory_bytes"):
        values = _known(extra.get(figure) for extra in extras)
        if len(values) == 2:
            changes.append(cost_change(name, figure, Estimate(values[0]), Estimate(values[1]), tolerance))
    return changes


def _record_costs(
    name: str, base: Sequence[Record], new: Sequence[Record], tolerance: float | None
) -> list[Change]:
    changes = []
    changes = time_changes(
        name,
        {figure: [_mean_time(side, *keys) for side in (base, new)] for figure, keys in _TIMES.items()},
        comparable={record.yardstick for record in base} == {record.yardstick for record in new},
        stable=all(record.stable is not False for record in (*base, *new)),
        tolerance=tolerance,
    )
    for figure in ("peak_host_memory_bytes", "peak_device_memory_bytes"):
        sides = [_known(getattr(record, figure) for record in side) for side in (base, new)]
        if sides[0] and sides[1]:
            medians = [Estimate(median(side)) for side in sides]
            changes.append(cost_change(name, figure, medians[0], medians[1], tolerance))
    return changes


def _quality(
    name: str,
    metric: str,
    direction: Direction,
    base: Sequence[Record],
    new: Sequence[Record],
    tolerance: float | None,
) -> list[Change]:
    """The metric's change over seeds that both have, paired: a seed's split and weights are the same."""
    by_seed = [{record.seed: record.metrics.get(metric) for record in side} for side in (base, new)]
    seeds = [seed for seed, value in by_seed[0].items() if value is not None]
    seeds = [seed for seed in seeds if by_seed[1].get(seed) is not None]
    if not seeds:
        return []
    before, after = (np.array([side[seed] for seed in seeds], dtype=np.float64) for side in by_seed)
    low, high, _ = mean_interval(after - before)
    change = Estimate(float((after - before).mean()), low, high)
    bounded = max(np.abs(before).max(), np.abs(after).max()) <= 1
    threshold = tolerance
    if threshold is None:
        threshold = BOUNDED_LOSS if bounded else OTHER_LOSS * abs(float(before.mean()))
    sign = 1 if direction == "up" else -1
    gain = sign * change.value
    found = Change(
        name, metric, "quality", float(before.mean()), float(after.mean()), change, threshold, "",
        note="" if len(seeds) >= 3 else f"{len(seeds)} seeds: no interval",
    )  # fmt: skip
    if not found.changed or abs(gain) <= threshold:
        return [found]
    return [replace(found, verdict="better" if gain > 0 else "worse")]


def _regressions(changes: list[Change], notes: list[str], what: str, tolerance: float | None) -> Regressions:
    if not changes:
        raise InputError(f"BASE and NEW must have at least one {what} in common, got none")
    means = []
    for figure, known in COSTS.items():
        judged_ones = [one for one in changes if one.figure == figure and one.note != UNSTABLE]
        ratios = [change.change.value for change in judged_ones]
        if len(ratios) < 2:
            continue
        logs = np.log(ratios)
        low, high, _ = mean_interval(logs)
        mean = Estimate(*(float(np.exp(value)) for value in (logs.mean(), low, high)))
        threshold = known.threshold if tolerance is None else tolerance
        shown = Change(
            f"geometric mean of {len(ratios)} {what}s:", figure, "cost", 1.0, mean.value, mean, threshold, ""
        )
        judged = known.judged or tolerance is not None
        worse = judged and shown.changed and mean.value > threshold
        means.append(replace(shown, verdict="worse" if worse else ""))
    return Regressions(tuple(changes), tuple(means), tuple(notes))


def _mean_time(records: Sequence[Record], key: str, bounds: str) -> Estimate | None:
    """The geometric mean over seeds; its interval from those within the seeds."""
    found = [one for record in records if (one := _interval(vars(record), key, bounds)) is not None]
    if not found:
        return None
    logs = np.log([[one.value, one.low, one.high] for one in found])
    value = logs[:, 0].mean()
    below, above = (np.sqrt(((logs[:, 0] - logs[:, k]) ** 2).sum()) / len(found) for k in (1, 2))
    return Estimate(*(float(np.exp(bound)) for bound in (value, value - below, value + above)))


def _interval(values: Mapping[str, Any], key: str, bounds: str) -> Estimate | None:
    value = values.get(key)
    if value is None or not value > 0:
        return None
    low, high = values.get(bounds) or (None, None)
    return Estimate(float(value), *(math.nan if bound is None else float(bound) for bound in (low, high)))


def _benchmarks(content: Mapping[str, Any], which: str) -> dict[str, Mapping[str, Any]]:
    try:
        found = {str(item.get("fullname") or item["name"]): item for item in content["benchmarks"]}
        for item in found.values():
            float(item["stats"]["median"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{which} must hold a name and stats.median for each benchmark, got one without"
        ) from error
    return found


def _require_same(name: str, base: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for what in ("protocol", "data_sha256"):
        values = [(extra.get("conditions") or extra).get(what) for extra in (base, new)]
        if None not in values:
            _require_one(f"{what} of {name}", *([str(value)] for value in values))


def _require_one(what: str, base: Sequence[str], new: Sequence[str]) -> None:
    if list(base) != list(new) or len(base) > 1:
        raise InputError(
            f"BASE and NEW must have one and the same {what}, got {', '.join(base)} and {', '.join(new)}"
        )


def _machine(content: Mapping[str, Any]) -> str:
    cpu = (content.get("machine_info") or {}).get("cpu") or {}
    return f"{cpu.get('brand_raw', 'unknown processor')}, {cpu.get('count', '?')} cores"


def _only_in(before: Mapping[str, Any], after: Mapping[str, Any], what: str) -> list[str]:
    notes = []
    for which, here, there in (("BASE", before, after), ("NEW", after, before)):
        only = [name for name in here if name not in there]
        if only:
            notes.append(f"only in {which}: {len(only)} {what}(s), {', '.join(only[:5])}")
    return notes


def _by_setup(records: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.setup, []).append(record)
    return found


def _known(values: Iterable[float | None]) -> list[float]:
    return [float(value) for value in values if value is not None]
