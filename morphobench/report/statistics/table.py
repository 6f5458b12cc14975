"""Rows of the main table: seeds merged, the best marked, and who beats the best baseline; no I/O."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from morphobench._util.text import printable
from morphobench.report.statistics.columns import COSTS, Column
from morphobench.report.statistics.comparisons import Comparison
from morphobench.run.record import Record, split_name
from morphobench.setups import PARADIGMS, SETTINGS
from morphobench.types import Direction

BASELINE, EXTERNAL = "baseline", "external"
_NAN = math.nan
_CHANCE = f"{BASELINE}/chance"


@dataclass(frozen=True)
class Cell:
    """One quantity of one setup over its seeds.

    Attributes:
        value: mean over seeds (costs: median); NaN where it is not known.
        deviation: standard deviation over seeds; NaN for one seed.
        low: lower bound of the records' interval, the mean over seeds; NaN where there is none.
        high: upper bound of it.
        best: whether no setup of the run is better.
        beats: whether it is better than the best baseline, the paired interval excluding zero; None where
            that cannot be told.
    """

    value: float = _NAN
    deviation: float = _NAN
    low: float = _NAN
    high: float = _NAN
    best: bool = False
    beats: bool | None = None


@dataclass(frozen=True)
class Row:
    """One setup or baseline.

    Attributes:
        name: its full name, made printable.
        group: its paradigm, "baseline" or "external".
        label: its setting, or the name of the baseline.
        seeds: seeds that it was run with.
        cells: by key of the column, for all metrics and costs.
        source: the folder it is from, where several are shown together.
    """

    name: str
    group: str
    label: str
    seeds: tuple[int, ...]
    cells: Mapping[str, Cell]
    source: str = ""

    @property
    def title(self) -> str:
        """The name, with the folder where several runs are shown together."""
        return f"{self.source}: {self.name}" if self.source else self.name

    @property
    def is_baseline(self) -> bool:
        """Whether it is a baseline and no setup."""
        return self.group == BASELINE

    @property
    def is_trained(self) -> bool:
        """Whether it was trained here, unlike baselines and imported embeddings."""
        return self.group not in (BASELINE, EXTERNAL)

    def wins(self, columns: Iterable[Column]) -> tuple[int, int]:
        """Count the metrics in which it beats the best baseline.

        Args:
            columns: the metrics to count.

        Returns:
            How many it beats the best baseline in, of how many that can be told.
        """
        told = [
            beats
            for column in columns
            if not column.is_cost and (beats := self.cells[column.key].beats) is not None
        ]
        return sum(told), len(told)


def build_rows(
    records: Sequence[Record], metrics: Sequence[Column], against: Mapping[str, Sequence[Comparison]]
) -> tuple[Row, ...]:
    """Merge the seeds of each setup to a row.

    Args:
        records: records of one run.
        metrics: the quality columns.
        against: comparisons of setups with the best baseline, by metric.

    Returns:
        Setups by paradigm and setting, then baselines; chance is added as a baseline where a metric has a
        value of chance and the run has none.
    """
    columns = (*metrics, *COSTS)
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.setup, []).append(record)
    cells = {name: {c.key: _cell(c, group) for c in columns} for name, group in groups.items()}
    beats = {
        (one.one, key): is_better(one, column.direction)
        for key, column in ((column.key, column) for column in metrics)
        for one in against.get(key, ())
        if math.isfinite(one.low)
    }
    setups = sorted((name for name in groups if split_name(name)[0] != BASELINE), key=_order)
    tops = {}
    for column in columns:
        values = {name: cells[name][column.key].value for name in setups}
        ranked = best_of([values[name] for name in setups if _may_be_ranked(column, groups[name])], column)
        # no best where an unstable time is smaller: the mark would point at the slower setup
        tops[column.key] = ranked if ranked == best_of(values.values(), column) else _NAN
    rows = []
    for name in setups:
        marked = {
            key: replace(cell, best=cell.value == tops[key], beats=beats.get((name, key)))
            for key, cell in cells[name].items()
        }
        rows.append(_row(name, groups[name], marked))
    baselines = sorted((name for name in groups if split_name(name)[0] == BASELINE), key=_order)
    if _CHANCE not in baselines and any(column.chance is not None for column in metrics):
        by_chance = {c.key: Cell(_NAN if c.chance is None else c.chance) for c in columns}
        rows.append(_row(_CHANCE, [], by_chance))
    return (*rows, *(_row(name, groups[name], cells[name]) for name in baselines))


def is_better(one: Comparison, direction: Direction) -> bool:
    """Judge a comparison: better, and the paired interval of the difference excludes zero.

    Args:
        one: the comparison, with an interval.
        direction: which way is better.

    Returns:
        Whether the first of the two is better.
    """
    return one.low > 0 if direction == "up" else direction == "down" and one.high < 0


def best_of(values: Iterable[float], column: Column) -> float:
    """Find the best value.

    Args:
        values: values, NaN where they are not known.
        column: the quantity.

    Returns:
        The best; NaN for none and for quantities without a direction.
    """
    known = [value for value in values if math.isfinite(value)]
    if not known or column.direction == "none":
        return _NAN
    return max(known) if column.direction == "up" else min(known)


def _may_be_ranked(column: Column, group: Sequence[Record]) -> bool:
    """Whether a setup may be called best by a column: not by a time that is unstable."""
    return not (column.key.startswith("time_per_") and any(record.stable is False for record in group))


def _cell(column: Column, group: Sequence[Record]) -> Cell:
    values = [value for record in group if math.isfinite(value := _value(record, column))]
    if not values:
        return Cell()
    deviation = statistics.stdev(values) if len(values) > 1 else _NAN
    if column.is_cost:
        return Cell(statistics.median(values), deviation)
    bounds = [pair for record in group if (pair := record.intervals.get(column.key))]
    complete = len(bounds) == len(values)
    low, high = (
        (statistics.fmean(side) if complete else _NAN for side in zip(*bounds, strict=True))
        if bounds
        else (_NAN, _NAN)
    )
    return Cell(statistics.fmean(values), deviation, low, high)


def _value(record: Record, column: Column) -> float:
    if not column.is_cost:
        value = record.metrics.get(column.key)
    elif column.key == "time_per_image_ns" and record.time_per_image_ns is None:
        per_view, views = record.time_per_view_ns, record.views_per_image
        value = None if per_view is None or views is None else per_view * views
    else:
        value = getattr(record, column.key)
    return _NAN if value is None else float(value)


def _row(name: str, group: Sequence[Record], cells: Mapping[str, Cell]) -> Row:
    shown = printable(name)
    return Row(shown, *split_name(shown), tuple(sorted({record.seed for record in group})), cells)


def _order(name: str) -> tuple[int, int, str]:
    group, label = split_name(name)
    setting = label.partition("@")[0]
    paradigm = PARADIGMS.index(group) if group in PARADIGMS else len(PARADIGMS) + (group == BASELINE)
    return paradigm, SETTINGS.index(setting) if setting in SETTINGS else len(SETTINGS), name
