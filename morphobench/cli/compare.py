"""Two benchmark files, or two runs, side by side: ratios of time and memory, differences of metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from morphobench._util.text import printable
from morphobench.errors import InputError
from morphobench.measure import median
from morphobench.report.render.grid import Grid
from morphobench.report.render.terminal import GridTable
from morphobench.run.record import Record

_COSTS = ("time_per_view_ns", "peak_host_memory_bytes", "peak_device_memory_bytes")


@dataclass(frozen=True)
class Row:
    """One figure in both: ``change`` is new / base for a cost, new - base for a metric."""

    name: str
    base: float
    new: float
    change: float
    is_cost: bool
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """All figures that both have, and what must be known to read them."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def worse(self) -> tuple[Row, ...]:
        """The rows that are worse than the tolerance allows."""
        return tuple(row for row in self.rows if row.verdict == "worse")


def compare_benchmarks(base: Mapping[str, Any], new: Mapping[str, Any], *, tolerance: float) -> Comparison:
    """The ratio of median times of every benchmark in both of two pytest-benchmark files.

    ``worse`` where it exceeds ``tolerance``. InputError where they share no benchmark.
    """
    before, after = _medians(base, "BASE"), _medians(new, "NEW")
    rows = [_cost(name, before[name], after[name], tolerance) for name in before if name in after]
    notes = _only_in(before, after, "benchmark")
    if _machine(base) != _machine(new):
        notes.append(f"different machines ({_machine(base)}; {_machine(new)}): times compare badly")
    return _comparison(rows, notes, "benchmark")


def compare_records(
    base: Sequence[Record],
    new: Sequence[Record],
    *,
    tolerance: float,
    metric_tolerance: float | None = None,
) -> Comparison:
    """Time, memory and metrics of every setup in both of two runs, medians over seeds.

    A cost is ``worse`` where its ratio exceeds ``tolerance``; a metric only where ``metric_tolerance`` is
    given and it got worse by more. InputError for runs under different protocols or with no setup in common.
    """
    from morphobench.evaluation.api import METRICS

    protocols = {str(record.protocol) for record in (*base, *new)}
    if len(protocols) > 1:
        raise InputError(f"compare: runs under one protocol wanted, got {', '.join(sorted(protocols))}")
    before, after = _by_setup(base), _by_setup(new)
    rows: list[Row] = []
    for setup in (name for name in before if name in after):
        for key in _COSTS:
            pair = _median(before[setup], key), _median(after[setup], key)
            if pair[0] is not None and pair[1] is not None:
                rows.append(_cost(f"{setup} {key}", pair[0], pair[1], tolerance))
        for metric, known in METRICS.items():
            one, other = _metric(before[setup], metric), _metric(after[setup], metric)
            if one is not None and other is not None and known.direction != "none":
                loss = one - other if known.direction == "up" else other - one
                judged = metric_tolerance is not None and loss > metric_tolerance
                rows.append(
                    Row(f"{setup} {metric}", one, other, other - one, False, "worse" if judged else "")
                )
    return _comparison(rows, [*_only_in(before, after, "setup"), *_other_conditions(base, new)], "setup")


def comparison_table(comparison: Comparison, *, changed_only: bool = False) -> GridTable:
    """Lay out a comparison: costs, then metrics.

    Args:
        comparison: what was compared.
        changed_only: leave out figures that are equal in both.

    Returns:
        A rich renderable, one row a figure; what is worse or better than the tolerance says so.
    """
    shown = [row for row in comparison.rows if not (changed_only and row.base == row.new)]
    shown.sort(key=lambda row: not row.is_cost)
    metrics = next((i for i, row in enumerate(shown) if not row.is_cost), 0)
    grid = Grid(
        ("figure", "base", "new", "change", ""),
        tuple(
            (
                printable(row.name),
                f"{row.base:.4g}",
                f"{row.new:.4g}",
                f"x {row.change:.3f}" if row.is_cost else f"{row.change:+.4g}",
                row.verdict,
            )
            for row in shown
        ),
        bold=frozenset((i, 4) for i, row in enumerate(shown) if row.verdict == "worse"),
        breaks=frozenset({metrics} - {0}),
    )
    equal = len(comparison.rows) - len(shown)
    notes = [*comparison.notes, *([f"{equal} figures are equal in both"] if equal else [])]
    return GridTable(grid, [printable(note) for note in notes])


def _cost(name: str, base: float, new: float, tolerance: float) -> Row:
    ratio = new / base if base else float("inf") if new else 1.0
    verdict = "worse" if ratio > tolerance else "better" if ratio * tolerance < 1 else ""
    return Row(name, base, new, ratio, True, verdict)


def _comparison(rows: list[Row], notes: list[str], what: str) -> Comparison:
    if not rows:
        raise InputError(f"compare: at least one {what} in both wanted, they have none in common")
    return Comparison(tuple(rows), tuple(notes))


def _medians(content: Mapping[str, Any], which: str) -> dict[str, float]:
    try:
        return {
            str(item.get("fullname") or item["name"]): float(item["stats"]["median"])
            for item in content["benchmarks"]
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{which}: name and stats.median of each benchmark wanted, got one without"
        ) from error


def _machine(content: Mapping[str, Any]) -> str:
    machine = content.get("machine_info") or {}
    cpu = machine.get("cpu") or {}
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


def _median(records: Iterable[Record], key: str) -> float | None:
    return _middle(getattr(record, key) for record in records)


def _metric(records: Iterable[Record], name: str) -> float | None:
    return _middle(record.metrics.get(name) for record in records)


def _middle(values: Iterable[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return median(known) if known else None


def _other_conditions(base: Sequence[Record], new: Sequence[Record]) -> list[str]:
    notes = []
    conditions: dict[str, Callable[[Record], object]] = {
        "images": lambda record: record.data.content_sha256,
        "processors": lambda record: record.environment.cpu,
        "presets": lambda record: record.preset,
        "epochs": lambda record: record.epochs,
    }
    for what, value in conditions.items():
        first, second = (sorted({str(value(record))[:40] for record in records}) for records in (base, new))
        if first != second:
            notes.append(f"different {what}: {', '.join(first)} and {', '.join(second)}")
    return notes
