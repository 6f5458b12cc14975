"""From records to the one table: seeds merged, ratios to the best, who beats the baselines; no I/O."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from morphobench.errors import InputError
from morphobench.report.columns import COSTS, Column, headline, metric_columns
from morphobench.report.facts import (
    BASELINE,
    EXTERNAL,
    finite,
    resampled,
    run_facts,
    run_notes,
    setting_of,
    split_name,
    views_per_image,
)
from morphobench.run.record import Record
from morphobench.setups import PARADIGMS, SETTINGS

CHANCE = "chance"
_NAN = math.nan


@dataclass(frozen=True)
class Cell:
    """One quantity of one setup over its seeds.

    ``value``: mean over seeds (costs: median); ``deviation``: standard deviation over seeds, NaN for one
    seed; ``low`` and ``high``: the records' interval (bounds averaged over seeds), NaN where there is none;
    ``best``: no setup of the table is better; ``beaten``: a baseline is at least as good.
    """

    value: float = _NAN
    deviation: float = _NAN
    low: float = _NAN
    high: float = _NAN
    best: bool = False
    beaten: bool = False


@dataclass(frozen=True)
class Row:
    """One setup or baseline: ``group`` is its paradigm (or "baseline"), ``label`` its setting.

    ``wins`` of ``contests``: headline metrics in which it is better than every baseline, of those that can be
    compared; both 0 for baselines and where no baseline was run.
    """

    name: str
    group: str
    label: str
    seeds: tuple[int, ...]
    cells: Mapping[str, Cell]
    wins: int = 0
    contests: int = 0

    @property
    def is_baseline(self) -> bool:
        """Whether it is a baseline and no setup."""
        return self.group == BASELINE


@dataclass(frozen=True)
class Table:
    """Everything the one table says: rows (setups first, then baselines), columns, facts and notes.

    ``resampled``: the units of the intervals, such as "12 plates".
    """

    protocol: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    facts: Mapping[str, str]
    notes: tuple[str, ...]
    resampled: str

    @property
    def setups(self) -> tuple[Row, ...]:
        """The rows that are no baselines."""
        return tuple(row for row in self.rows if not row.is_baseline)

    @property
    def trained(self) -> tuple[Row, ...]:
        """The setups that were trained here, unlike other people's embeddings."""
        return tuple(row for row in self.setups if row.group != EXTERNAL)

    @property
    def baselines(self) -> tuple[Row, ...]:
        """The baselines' rows, chance first."""
        return tuple(row for row in self.rows if row.is_baseline)


def one_protocol(records: Sequence[Record]) -> str:
    """The protocol id that all ``records`` share; InputError naming both where they do not."""
    if not records:
        raise InputError("records: at least one wanted, got none")
    first: dict[str, str] = {}
    for record in records:
        first.setdefault(record.protocol, record.setup)
    if len(first) > 1:
        (one, here), (other, there) = list(first.items())[:2]
        raise InputError(
            f"records: one protocol wanted, as results of two are never compared; "
            f"got {one!r} ({here}) and {other!r} ({there})"
        )
    return next(iter(first))


def build_table(
    records: Sequence[Record], *, all_metrics: bool = False, known: Mapping[str, Column] | None = None
) -> Table:
    """The one table of ``records`` (see :class:`Table`).

    ``all_metrics``: every metric instead of the headline ones. ``known``: what is known of metrics
    (default: what the evaluation declares). InputError where records of two protocols are mixed.
    """
    protocol = one_protocol(records)
    metrics = metric_columns(records, known=known)
    quality = metrics if all_metrics else headline(metrics)
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.setup, []).append(record)
    cells = {name: _merge(group, quality) for name, group in groups.items()}
    _add_ratios(cells)
    columns = (*quality, *(column for column in COSTS if _has_any(cells, column)))
    rows = _rows(groups, cells, quality, columns)
    units = resampled(records, [column.key for column in quality])
    return Table(protocol, columns, rows, run_facts(records), run_notes(records), units)


def better(one: float, other: float, direction: str) -> bool:
    """Whether ``one`` is strictly better than ``other``; False where a value or the direction is missing."""
    return one > other if direction == "up" else direction == "down" and one < other


def _merge(group: list[Record], quality: Sequence[Column]) -> dict[str, Cell]:
    cells = {}
    for column in quality:
        values = [value for r in group if math.isfinite(value := finite(r.metrics.get(column.key)))]
        bounds = [(float(pair[0]), float(pair[1])) for r in group if (pair := r.intervals.get(column.key))]
        complete = bool(values) and len(bounds) == len(values)
        cells[column.key] = Cell(
            statistics.fmean(values) if values else _NAN,
            statistics.stdev(values) if len(values) > 1 else _NAN,
            statistics.fmean(low for low, _ in bounds) if complete else _NAN,
            statistics.fmean(high for _, high in bounds) if complete else _NAN,
        )
    per_view = [finite(r.time_per_view_ns) for r in group]
    whole = [finite(r.time_per_image_ns) for r in group]
    steps = [t * views_per_image(r) for t, r in zip(per_view, group, strict=True)]
    costs = {
        "time_per_view_ns": per_view,
        "time_per_image_ns": [a if math.isfinite(a) else b for a, b in zip(whole, steps, strict=True)],
        "peak_host_memory_bytes": [finite(r.peak_host_memory_bytes) for r in group],
        "peak_device_memory_bytes": [finite(r.peak_device_memory_bytes) for r in group],
    }
    for key, values in costs.items():
        values = [value for value in values if math.isfinite(value)]
        deviation = statistics.stdev(values) if len(values) > 1 else _NAN
        cells[key] = Cell(statistics.median(values) if values else _NAN, deviation)
    return cells


def _add_ratios(cells: dict[str, dict[str, Cell]]) -> None:
    """Adds time and memory over the smallest of the setups; baselines take no part in the comparison of
    costs.
    """
    for ratio, key in (("time_ratio", "time_per_view_ns"), ("memory_ratio", "peak_host_memory_bytes")):
        known = [row[key].value for name, row in cells.items() if split_name(name)[0] != BASELINE]
        least = min((value for value in known if value > 0), default=_NAN)
        for name, row in cells.items():
            takes_part = split_name(name)[0] != BASELINE
            row[ratio] = Cell(row[key].value / least if takes_part else _NAN)


def _has_any(cells: Mapping[str, Mapping[str, Cell]], column: Column) -> bool:
    return any(math.isfinite(row[column.key].value) for row in cells.values())


def _rows(
    groups: Mapping[str, list[Record]],
    cells: Mapping[str, dict[str, Cell]],
    quality: Sequence[Column],
    columns: Sequence[Column],
) -> tuple[Row, ...]:
    names = sorted(groups, key=_order)
    setups = [name for name in names if split_name(name)[0] != BASELINE]
    baselines = {name: cells[name] for name in names if split_name(name)[0] == BASELINE}
    chance = {c.key: Cell(c.chance) for c in quality if c.chance is not None}
    if chance and f"{BASELINE}/{CHANCE}" not in baselines:
        baselines = {f"{BASELINE}/{CHANCE}": {**{c.key: Cell() for c in columns}, **chance}, **baselines}
    bars = {column.key: _best(baselines.values(), column) for column in quality}
    tops = {column.key: _best((cells[name] for name in setups), column) for column in columns}
    rows = []
    for name in setups:
        marked, wins, contests = {}, 0, 0
        for column in columns:
            cell, bar, top = cells[name][column.key], bars.get(column.key, _NAN), tops[column.key]
            contest = math.isfinite(bar) and math.isfinite(cell.value)
            won = contest and better(cell.value, bar, column.direction)
            contests, wins = contests + contest, wins + won
            marked[column.key] = Cell(
                cell.value, cell.deviation, cell.low, cell.high, cell.value == top, contest and not won
            )
        rows.append(_row(name, groups[name], marked, wins, contests))
    return (*rows, *(_row(name, groups.get(name, []), row, 0, 0) for name, row in baselines.items()))


def _row(name: str, group: Sequence[Record], cells: Mapping[str, Cell], wins: int, contests: int) -> Row:
    return Row(name, *split_name(name), tuple(r.seed for r in group), cells, wins, contests)


def _best(rows: Iterable[Mapping[str, Cell]], column: Column) -> float:
    """The best known value of a column, NaN for none and for columns without a direction."""
    values = [v for row in rows if math.isfinite(v := row[column.key].value)]
    if not values or column.direction == "none":
        return _NAN
    return max(values) if column.direction == "up" else min(values)


def _order(name: str) -> tuple[int, int, str]:
    group, label = split_name(name)
    setting = setting_of(label)
    paradigm = PARADIGMS.index(group) if group in PARADIGMS else len(PARADIGMS) + (group == BASELINE)
    return paradigm, SETTINGS.index(setting) if setting in SETTINGS else len(SETTINGS), name
