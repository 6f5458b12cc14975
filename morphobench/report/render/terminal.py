"""Tables for a terminal, with rich; what they show is computed in ``stats_table``, here it is only laid
out.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table as RichTable
from rich.text import Text

from morphobench.report.columns import PRIMARY, Column
from morphobench.report.render.formats import ARROWS, BEATEN, BEST, BEST_BEATEN, Format
from morphobench.report.render.numbers import number, with_unit
from morphobench.report.statistics.benchmarks import BenchmarkRow, benchmark_rows
from morphobench.report.statistics.table import Cell, Row, Table, build_table
from morphobench.run.record import Record

_PIPED_WIDTH = 120
_ASCII = str.maketrans("↑↓°±–×÷µ─", "^vo~-x/u-")


def console(file: TextIO | None = None) -> Console:
    """A console for tables on ``file`` (default: standard output): 120 columns and no colour where it is
    piped.
    """
    file = sys.stdout if file is None else file
    piped = not file.isatty()
    return Console(file=file, width=_PIPED_WIDTH if piped else None, highlight=False, no_color=piped or None)


def summarize(records: Sequence[Record], *, all_metrics: bool = False) -> SummaryTable:
    """THE table of ``records``: one row a setup (seeds merged), grouped by paradigm, baselines in a section
    below.

    Quality, time and memory in one row; an arrow says which way is better, ``*`` (and bold) marks the best
    setup of a column, ``°`` a value that does not beat every baseline, ``!`` a best setup that does not.
    ``all_metrics`` adds a table of every metric. Where the terminal is too narrow, deviations over seeds
    are left out first, then quality and cost stand in two tables. InputError where records of two protocols
    are mixed.
    """
    more = build_table(records, all_metrics=True) if all_metrics else None
    return SummaryTable(build_table(records), everything=more)


class SummaryTable:
    """A rich renderable of the one table; :func:`summarize` makes it."""

    def __init__(self, table: Table, *, everything: Table | None = None) -> None:
        self.table = table
        self.everything = everything

    def __rich_console__(self, terminal: Console, options: ConsoleOptions) -> RenderResult:
        for part in self._parts(terminal, options):
            for segment in terminal.render(part, options):
                text = segment.text.translate(_ASCII) if options.ascii_only else segment.text
                yield Segment(text, segment.style, segment.control)

    def _parts(self, terminal: Console, options: ConsoleOptions) -> Iterable[RenderableType]:
        quality = [column for column in self.table.columns if not column.is_cost]
        cost = [column for column in self.table.columns if column.is_cost]
        half = (len(quality) + 1) // 2
        widest = options.update(width=1000)
        choices = [
            [_layout(self.table, part, spread=spread, intervals=intervals) for part in parts if part]
            for parts in ([[*quality, *cost]], [quality, cost], [quality[:half], quality[half:], cost])
            for spread, intervals in (
                (None, None),
                (None, PRIMARY),
                (PRIMARY, PRIMARY),
                (PRIMARY[1:], PRIMARY[1:]),
                ((), PRIMARY[1:]),
            )
        ]
        fitting = (
            tables
            for tables in choices
            if all(Measurement.get(terminal, widest, one).maximum <= options.max_width for one in tables)
        )
        yield from next(fitting, choices[-1])
        if self.everything is not None:
            yield _metric_list(self.everything)
        yield from _caption(self.table)


def summarize_benchmarks(data: dict[str, object]) -> Group:
    """A table of a pytest-benchmark JSON file (as ``json.load`` gives it): one row a benchmark.

    Median time, spread between quartiles, the ratio to the peer and further figures of ``extra_info``.
    InputError where ``data`` is no such file.
    """
    rows = benchmark_rows(data)
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("benchmark", overflow="fold")
    for header in ("median ↓", "IQR", "rounds", "vs peer ↑", "per s ↑", "peak memory ↓"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        # As Text, since the brackets of a parameter would be read as markup.
        table.add_row(Text(row.name), *_benchmark_cells(row))
    notes = (
        "vs peer: how many times faster than the peer, in interleaved rounds of the same run\n"
        "per s: images, views or pairs"
    )
    return Group(table, Text(notes, style="dim"))


def _benchmark_cells(row: BenchmarkRow) -> tuple[str, ...]:
    peers = "\n".join(f"{number(ratio, digits=1)}× {name}" for name, ratio in row.peers)
    return (
        with_unit(row.median_ns, "ns"),
        with_unit(row.iqr_ns, "ns"),
        str(row.rounds),
        peers or number(math.nan),
        number(row.rate_per_s, digits=1),
        with_unit(row.peak_memory_bytes, "bytes", digits=1),
    )


def _layout(
    table: Table,
    columns: Sequence[Column],
    *,
    spread: Sequence[str] | None = None,
    intervals: Sequence[str] | None = None,
) -> RichTable:
    """The table of ``columns``.

    ``spread`` and ``intervals``: the metrics that show their deviation over seeds and their interval (None:
    all).
    """
    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True)
    made.add_column("setup", no_wrap=True, vertical="bottom")
    formats = [
        Format.of(
            column,
            table.rows,
            spread=spread is None or column.key in spread,
            interval=intervals is None or column.key in intervals,
        )
        for column in columns
    ]
    for one in formats:
        for header in _headers(one):
            made.add_column(Text(header), justify="right", no_wrap=True)
    contests = any(row.contests for row in table.rows) and any(not column.is_cost for column in columns)
    if contests:
        made.add_column("beats\nbase", justify="right", no_wrap=True)
    group = ""
    for row in table.rows:
        if row.group != group:
            if group:
                made.add_section()
            group = row.group
            made.add_row(Text("baselines" if row.is_baseline else group, style="bold"))
        cells = [text for one in formats for text in _cells(one, row.cells[one.column.key])]
        made.add_row(f" {row.label}", *cells, *([_beats(row)] if contests else []))
    return made


def _headers(one: Format) -> list[str]:
    """The header of the value and, where there is one, of the interval beside it."""
    lines = [*one.column.heading.split(" "), one.unit_and_arrow]
    return ["\n".join(lines), *(["95 %\ninterval"] if one.interval else [])]


def _cells(one: Format, cell: Cell) -> list[Text]:
    text = Text(one.value(cell), style="bold" if cell.best else "")
    text.append(one.mark(cell).ljust(one.mark_width))
    return [text, *([Text(one.bounds(cell))] if one.interval else [])]


def _beats(row: Row) -> Text:
    """How many metrics beat every baseline; a setup that beats them in none stands out."""
    if not row.contests:
        return Text("")
    return Text(f"{row.wins}/{row.contests}" if row.wins else "none", style="" if row.wins else "bold")


def _metric_list(table: Table) -> RichTable:
    """Every metric, metrics down and setups across would be too wide: one line per setup and metric group."""
    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, title="every metric", title_justify="left")
    made.add_column("metric", no_wrap=True)
    made.add_column("better")
    made.add_column("setup", no_wrap=True)
    made.add_column("value", justify="right")
    for column in table.columns:
        if column.is_cost:
            continue
        form = Format.of(column, table.rows)
        name, arrow = column.key, ARROWS[column.direction]
        for row in table.rows:
            cell = row.cells[column.key]
            if math.isfinite(cell.value):
                made.add_row(name, arrow, row.name, Text(" ").join(_cells(form, cell)))
                name = arrow = ""
        made.add_section()
    return made


def _caption(table: Table) -> Iterable[Text]:
    facts = ", ".join(f"{name} {value}" for name, value in table.facts.items())
    yield Text(f"protocol {table.protocol}; {facts}", style="dim")
    key = (
        f"{BEST} best setup   {BEATEN} does not beat every baseline   {BEST_BEATEN} best setup, yet does not"
    )
    yield Text("beats base: metrics in which the setup beats every baseline, chance included", style="dim")
    yield Text(f"{key}   ↑ more is better   ↓ less is better", style="dim")
    if any(math.isfinite(cell.deviation) for row in table.rows for cell in row.cells.values()):
        yield Text("± standard deviation over seeds, where there is room", style="dim")
    if any(math.isfinite(cell.low) for row in table.rows for cell in row.cells.values()):
        yield Text(f"95 % interval: resampling {table.resampled}", style="dim")
    yield Text(
        "time/view: training step / batch size; time/image: epoch / images, all views, feeding included",
        style="dim",
    )
    for note in table.notes:
        yield Text(f"note: {note}")
