"""Tables for a terminal, with rich. Everything shown is computed elsewhere; here it is only laid out."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from morphobench._util.text import printable
from morphobench.report.decision import Decision
from morphobench.report.render.formats import (
    ARROWS,
    BEATS,
    MISSING,
    Format,
    number,
    signed,
    signed_bounds,
    with_unit,
)
from morphobench.report.render.gain_grid import (
    CAPTION,
    fitting_gains,
    further_tables,
    gain_value,
)
from morphobench.report.render.grid import Grid
from morphobench.report.render.sentences import decision_sentences
from morphobench.report.statistics.benchmarks import BenchmarkRow, benchmark_rows
from morphobench.report.statistics.columns import Column, marked
from morphobench.report.statistics.table import Row
from morphobench.report.summary import Summary

_PIPED_WIDTH = 120
_NARROWEST = 40
_ASCII = str.maketrans("↑↓±–×÷µ─", "^v~-x/u-")
_ORDER = (
    "classification.roc_auc",
    "similarity.d",
    "time_per_image_ns",
    "peak_host_memory_bytes",
    "clustering.silhouette",
    "classification.accuracy",
    "peak_device_memory_bytes",
    "clustering.consistency",
    "clustering.noise",
    "time_per_view_ns",
)
"""Which columns matter most, where there is no room for all."""


def console(file: TextIO | None = None) -> Console:
    """Make a console for tables.

    Args:
        file: where it prints (default: standard output).

    Returns:
        A console; where it is piped, without colour and as wide as the variable COLUMNS says (120 columns
        without it).
    """
    file = sys.stdout if file is None else file
    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    if file.isatty():
        return _PrintableConsole(file=file, **plain)
    columns = os.environ.get("COLUMNS", "")
    wanted = int(columns) if re.fullmatch("[0-9]{1,4}", columns) else _PIPED_WIDTH
    return _PrintableConsole(file=file, width=max(wanted, _NARROWEST), no_color=True, **plain)


class _PrintableConsole(Console):
    """Shows names from outside as they are: neither escape sequences nor markup nor emoji codes."""

    def render_str(self, text: str, **how: Any) -> Text:
        """Lay a text out; rich does so with every text of a table, and with titles."""
        return super().render_str(printable(text), **how)


def show(what: RenderableType) -> None:
    """Print on standard output.

    Args:
        what: a table; text is printed as it is, in lines as long as it has.
    """
    printer = console()
    if isinstance(what, str):
        printer.print(Text(printable(what)), soft_wrap=True)
    else:
        printer.print(what)


class SummaryTable:
    """The summary as a rich renderable: the decision, then one table that fits the width.

    Args:
        summary: the summary.
        all_metrics: whether a table of every metric follows.
        details: whether all notes follow.
    """

    def __init__(self, summary: Summary, *, all_metrics: bool = False, details: bool = False) -> None:
        self.summary, self.all_metrics, self.details = summary, all_metrics, details

    def __rich_console__(self, terminal: Console, options: ConsoleOptions) -> RenderResult:
        for part in self._parts(options):
            for segment in terminal.render(part, options):
                text = segment.text.translate(_ASCII) if options.ascii_only else segment.text
                yield Segment(text, segment.style, segment.control)

    def _parts(self, options: ConsoleOptions) -> Iterable[RenderableType]:
        summary = self.summary
        for name, decision in summary.decisions or (("", summary.decision),):
            text = " ".join(decision_sentences(decision))
            yield Text(f"{name}: {text}" if name else text, style="bold")
        yield Text("")
        grid, left_out = _fitting(summary, options.max_width)
        yield grid.text(options.max_width)
        if (gains := fitting_gains(summary, options.max_width)) is not None:
            table, not_shown = gains
            yield table.text(options.max_width)
            hidden = ", ".join(column.label for column in not_shown)
            yield Text(f"{CAPTION} No room for {hidden}." if hidden else CAPTION, style="dim")
        if self.all_metrics:
            for one in further_tables(summary)[gains is not None :]:
                yield one.grid.text(options.max_width)
                yield Text(one.lead, style="dim")
            yield metric_grid(summary).text(options.max_width)
        yield from _caption(summary, left_out)
        yield from _notes(summary, self.details)


def summarize_benchmarks(data: Mapping[str, object]) -> GridTable:
    """Make a table of a pytest-benchmark file: median time, spread, the ratio to the peer, and more.

    Args:
        data: the file's content, as ``json.load`` gives it.

    Returns:
        A rich renderable, one row a benchmark.

    Raises:
        InputError: where ``data`` is no such file.
    """
    rows = benchmark_rows(data)
    headers = ("benchmark", "median ↓", "IQR", "rounds", "vs peer ↑", "per s ↑", "memory ↓")
    notes = (
        "IQR: between the quartiles of the rounds. vs peer: how many times faster than the peer, in "
        "interleaved rounds of the same run. per s: images, views or pairs."
    )
    grid = Grid(headers, tuple((printable(row.name), *_benchmark_cells(row)) for row in rows))
    return GridTable(grid, (notes,))


class GridTable:
    """A grid with notes below, as a rich renderable.

    Args:
        grid: the table.
        notes: lines below it.
        title: line above it; empty for none.
    """

    def __init__(self, grid: Grid, notes: Sequence[str] = (), *, title: str = "") -> None:
        self.grid, self.notes, self.title = grid, notes, title

    def __rich_console__(self, terminal: Console, options: ConsoleOptions) -> RenderResult:
        title = [Text(self.title, style="bold")] if self.title else []
        notes = [Text(note, style="dim") for note in self.notes]
        parts = [*title, self.grid.text(options.max_width), *notes]
        for part in parts:
            for segment in terminal.render(part, options):
                text = segment.text.translate(_ASCII) if options.ascii_only else segment.text
                yield Segment(text, segment.style, segment.control)


class DecisionText:
    """A decision with the setups that no other one beats in everything, as a rich renderable.

    Args:
        decision: the decision.
    """

    def __init__(self, decision: Decision) -> None:
        self.decision = decision

    def __rich_console__(self, terminal: Console, options: ConsoleOptions) -> RenderResult:
        decision = self.decision
        yield Text(" ".join(decision_sentences(decision)), style="bold")
        if not decision.undominated or decision.column is None:
            return
        yield Text("\nSetups that no other one beats in quality, time and memory at once:", style="dim")
        rows = tuple(
            (
                one.setup,
                number(one.quality),
                MISSING if one.baseline is None else signed(one.baseline.difference),
                MISSING if one.baseline is None else signed_bounds(one.baseline.low, one.baseline.high),
                MISSING if one.gain is None else gain_value(one.gain),
                MISSING if one.gain is None else signed_bounds(one.gain.low, one.gain.high),
                with_unit(one.hours * 3600e9, "ns", digits=1),
                f"{number(one.memory_bytes / 1e9, digits=1)} GB",
            )
            for one in decision.undominated
        )
        label = decision.column.label.replace(" ", "\n")
        over = ("over best\nbaseline", "95 %\ninterval", "learning\ngain", "95 %\ninterval")
        headers = ("setup", label, *over, "training", "memory")
        yield from GridTable(Grid(headers, rows)).__rich_console__(terminal, options)


def summary_grid(summary: Summary, columns: Sequence[Column]) -> Grid:
    """Lay out rows of a summary.

    Args:
        summary: the summary.
        columns: the columns to show.

    Returns:
        One row a setup, setups by paradigm, baselines last; an interval has a column of its own.
    """
    formats = [Format.of(column, summary.rows) for column in columns]
    quality = [column for column in columns if not column.is_cost]
    contests = any(row.wins(quality)[1] for row in summary.rows)
    headers = ["setup"]
    for one in formats:
        headers.append("\n".join([*one.column.heading.split(" "), one.unit_and_arrow]))
        if one.interval:
            headers.append("95 %\ninterval")
    rows, bold, breaks = [], set(), set()
    previous = summary.rows[0].group if summary.rows else ""
    for i, row in enumerate(summary.rows):
        if row.group != previous:
            breaks.add(i)
        previous = row.group
        cells = [row.title]
        for one in formats:
            cell = row.cells[one.column.key]
            if cell.best:
                bold.add((i, len(cells)))
            # as wide without the mark as with it, so that the numbers stand under each other
            cells.append(one.value(cell) + (one.mark(cell) or " " * any_marked(summary.rows, one.column)))
            if one.interval:
                cells.append(one.bounds(cell))
        if contests:
            won, told = row.wins(quality)
            cells.append(f"{won}/{told}" if told else "")
        rows.append(tuple(cells))
    if contests:
        headers.append("beats\nbest\nbaseline")
    return Grid(tuple(headers), tuple(rows), frozenset(bold), frozenset(breaks))


def any_marked(rows: Sequence[Row], column: Column) -> bool:
    """Look for marks in a column.

    Args:
        rows: the rows.
        column: the column.

    Returns:
        Whether any row beats the best baseline in it.
    """
    return any(row.cells[column.key].beats for row in rows)


def _fitting(summary: Summary, width: int) -> tuple[Grid, list[Column]]:
    """The grid of as many columns as fit, the most important ones, and the columns left out."""
    places = {key: place for place, key in enumerate(_ORDER)}
    by_importance = sorted(summary.columns, key=lambda column: places.get(column.key, len(places)))
    chosen: list[Column] = []
    grid = summary_grid(summary, by_importance[:1])
    for column in by_importance:
        wider = summary_grid(summary, [one for one in summary.columns if one in (*chosen, column)])
        if wider.width <= width or not chosen:
            chosen.append(column)
            grid = wider
    return grid, [column for column in by_importance if column not in chosen]


def metric_grid(summary: Summary) -> Grid:
    """Lay out every metric of every setup, one line each.

    Args:
        summary: the summary.

    Returns:
        Rows of setup, metric, value, interval and direction.
    """
    rows: list[tuple[str, ...]] = []
    breaks: set[int] = set()
    for column in summary.metrics:
        one = Format.of(column, summary.rows)
        known = [row for row in summary.rows if math.isfinite(row.cells[column.key].value)]
        if known:
            breaks.add(len(rows))
        for row in known:
            cell = row.cells[column.key]
            value = f"{one.value(cell)}{one.mark(cell)} {one.unit}".rstrip()
            rows.append(
                (
                    f"{printable(column.key)}{marked(column)} {ARROWS[column.direction]}",
                    row.title,
                    value,
                    one.bounds(cell),
                )
            )
    return Grid(("metric", "setup", "value", "95 %\ninterval"), tuple(rows), breaks=frozenset(breaks))


def _caption(summary: Summary, left_out: Sequence[Column]) -> Iterable[Text]:
    facts = ", ".join(f"{name} {value}" for name, value in summary.facts.items())
    cells = [cell for row in summary.rows for cell in row.cells.values()]
    parts = [f"protocol {summary.protocol}: {facts}", "↑ more is better, ↓ less is better, bold: best setup"]
    if any(cell.beats is not None for cell in cells):
        parts.append(
            f"{BEATS} better than the best baseline: the paired 95 % interval of the difference excludes 0"
        )
    if any(math.isfinite(cell.deviation) for cell in cells):
        parts.append("± standard deviation over seeds")
    if any(math.isfinite(cell.low) for cell in cells):
        parts.append(f"95 % interval: from resampling {summary.resampled}")
    if left_out:
        parts.append(f"no room for {', '.join(column.label for column in left_out)}")
    yield Text("; ".join(parts) + ".", style="dim")


def _notes(summary: Summary, details: bool) -> Iterable[Text]:
    told = [*summary.notes, *(f"{text} ({_where(names)})" for text, names in summary.warnings.items())]
    if details:
        yield from (Text(f"note: {note}") for note in told)
    elif told:
        more = f"; {len(told) - 1} more with --details" if len(told) > 1 else ""
        yield Text(f"note: {told[0]}{more}")


def _where(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{len(names)} setups and baselines"


def _benchmark_cells(row: BenchmarkRow) -> tuple[str, ...]:
    peers = ", ".join(f"{number(ratio, digits=1)}× {printable(name)}" for name, ratio in row.peers)
    return (
        with_unit(row.median_ns, "ns"),
        with_unit(row.iqr_ns, "ns"),
        str(row.rounds),
        peers or MISSING,
        number(row.rate_per_s, digits=1),
        with_unit(row.peak_memory_bytes, "bytes", digits=1),
    )
