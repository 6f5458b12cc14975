"""The table of learning gains: a row a setup, a column a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from morphobench.report.render.formats import ARROWS, MISSING, number, signed, signed_bounds
from morphobench.report.render.grid import Grid
from morphobench.report.statistics.columns import PRIMARY, Column
from morphobench.report.statistics.gain import Gain
from morphobench.report.summary import Summary

CAPTION = (
    "Learning gain: trained minus the same encoder untrained, of all seeds. *: the 95 % interval excludes 0 "
    "and training has helped; !: it excludes 0 and training has harmed."
)


RESTRICTED = (
    "restrictions.map_nsp",
    "restrictions.map_nsp_without_top",
    "restrictions.moa_nsc",
    "restrictions.moa_nscb",
    "restrictions.moa_nscb_without_top",
    "restrictions.unseen_compound_auc",
)
"""Restricted metrics whose gains have a table of their own."""

RESTRICTED_TOLD = (
    "The same where matches of the same plate, compound or batch are left out (restrictions); every compound "
    "or mechanism counts alike in map and its pairs are resampled. without top: without the most frequent "
    "compound."
)

QUESTIONS = ("classification", "mechanism", "compound")


@dataclass(frozen=True)
class Table:
    """A further table of the page.

    Attributes:
        name: Its anchor.
        title: Its heading.
        lead: What it shows.
        grid: The table.
    """

    name: str
    title: str
    lead: str
    grid: Grid


def further_tables(summary: Summary) -> list[Table]:
    """Make the tables that stand below the main one: learning gains, restricted gains, shortcuts.

    Args:
        summary: The summary.

    Returns:
        Those that the run has anything for.
    """
    restricted = [column for key in RESTRICTED for column in summary.metrics if column.key == key]
    made = [
        ("gains", "Learning gain", CAPTION, gain_grid(summary)),
        ("restricted", "Learning gain under restrictions", RESTRICTED_TOLD, gain_grid(summary, restricted)),
        ("learning-curves", "Learning curves", CURVES, curve_grid(summary)),
        ("shortcuts", "Shortcuts", SHORTCUTS, shortcut_grid(summary)),
    ]
    return [Table(name, title, lead, grid) for name, title, lead, grid in made if grid is not None]


SHORTCUTS = (
    "Mean recall from the embedding (value), from brightness, contrast, background, cell count and position "
    "without it (alone), and from what is left once their effects, fitted on the train part, are regressed "
    "out (remaining; least: all that they share with the embedding counts as theirs)."
)


CURVES = (
    "Learning gain against training plates and against epochs, each trained anew. Forecast: a saturating "
    "power law, gain = a - b n^-c, through three sizes or more (Cortes et al. 1993; Hestness et al. 2017); "
    "its interval holds only as far as that law does."
)


def curve_grid(summary: Summary) -> Grid | None:
    """Lay out the learning curves: a row a setup and size, and the forecast of twice the plates.

    Args:
        summary: The summary.

    Returns:
        The table; None where no curve was run.
    """
    rows: list[tuple[str, ...]] = []
    shown = {row.name for row in summary.rows}
    for curve in summary.curves:
        if curve.setup not in shown:
            continue
        for place, one in enumerate(curve.points):
            size = f"{one.size:,.0f} {curve.axis}"
            rows.append(
                (
                    "" if place else curve.setup,
                    size,
                    gain_value(one.gain),
                    signed_bounds(one.gain.low, one.gain.high),
                )
            )
        expected = curve.expected
        if expected is not None:
            found = ("", f"{expected.size:,.0f} {curve.axis}, forecast")
            if expected.reason:
                rows.append((*found, "none", expected.reason))
            else:
                rows.append((*found, signed(expected.value), signed_bounds(expected.low, expected.high)))
    column = summary.decision.column
    if not rows or column is None:
        return None
    return Grid(("learning curve", "trained on", f"gain in\n{column.label}", "95 %\ninterval"), tuple(rows))


def shortcut_grid(summary: Summary) -> Grid | None:
    """Lay out the shortcut ledger: what each embedding is worth with shortcuts and without them.

    Args:
        summary: The summary.

    Returns:
        The table, a row a setup or baseline; None where the task ``shortcuts`` was not run.
    """
    columns = {column.key: column for column in summary.metrics}
    parts = ("value", "remaining", "least", "alone", "chance")
    shown = [
        columns[f"shortcuts.{question}_{part}"]
        for question in QUESTIONS
        for part in parts
        if any(
            isfinite(row.cells[key].value)
            for row in summary.rows
            if (key := f"shortcuts.{question}_{part}") in columns and key in row.cells
        )
    ]
    if not shown:
        return None
    headers = ("shortcuts", *(column.label.replace(" ", "\n") for column in shown))
    rows = [(row.title, *(number(row.cells[column.key].value) for column in shown)) for row in summary.rows]
    return Grid(headers, tuple(rows))


@dataclass(frozen=True)
class GainTable:
    """Learning gains, as a table of the page.

    Attributes:
        name: Its anchor.
        title: Its heading.
        lead: What it shows.
        columns: The metrics.
        units: What was paired, such as "12 plates", by metric; "" where it differs between setups.
        rows: The gains of each setup in the order of the columns; None where there is none.
        reasons: Why there is no interval, with the metrics' labels.
    """

    name: str
    title: str
    lead: str
    columns: tuple[Column, ...]
    units: Mapping[str, str]
    rows: tuple[tuple[str, tuple[Gain | None, ...]], ...]
    reasons: Mapping[str, tuple[str, ...]]


def gain_tables(summary: Summary) -> list[GainTable]:
    """Lay out learning gains for the page, without and with restrictions.

    Args:
        summary: The summary.

    Returns:
        The tables; none where the untrained encoder was not run.
    """
    restricted = [column for key in RESTRICTED for column in summary.metrics if column.key == key]
    lead = "Learning gain: each setup minus the same encoder untrained, over all seeds."
    made = [
        ("gains", "What training has changed", lead, summary.headline),
        ("restricted", "What training has changed, under restrictions", RESTRICTED_TOLD, restricted),
    ]
    found = []
    for name, title, told, chosen in made:
        columns, rows = _gains(summary, chosen)
        units: dict[str, set[str]] = {column.key: set() for column in columns}
        reasons: dict[str, dict[str, None]] = {}
        for column, one in ((columns[k], one) for _, gains in rows for k, one in enumerate(gains) if one):
            if not isfinite(one.difference):
                continue  # a dash, which the legend explains
            if one.reason:
                reasons.setdefault(one.reason, {})[column.label] = None
            else:
                units[column.key].add(f"{one.units} {one.unit}{'s' * (one.units != 1)}")
        if rows:
            single = {key: texts.pop() if len(texts) == 1 else "" for key, texts in units.items()}
            told_reasons = {reason: tuple(labels) for reason, labels in reasons.items()}
            found.append(GainTable(name, title, told, columns, single, rows, told_reasons))
    return found


def gain_grid(summary: Summary, chosen: Sequence[Column] | None = None) -> Grid | None:
    """Lay out learning gains as text.

    Args:
        summary: The summary.
        chosen: Metrics to show (default: those of the main table).

    Returns:
        The table; None where the untrained encoder was not run.
    """
    columns, setups = _gains(summary, summary.headline if chosen is None else chosen)
    headers = ["learning gain"]
    rows = [[f"  {setup}"] for setup, _ in setups]  # indented, so that lines of setups are told apart
    for k, column in enumerate(columns):
        gains = [found[k] for _, found in setups]
        has_bounds = any(one and not one.reason for one in gains)
        headers.append(f"{column.heading} {ARROWS[column.direction]}".replace(" ", "\n"))
        headers += ["95 %\ninterval"] * has_bounds
        for row, one in zip(rows, gains, strict=True):
            row.append(MISSING if one is None else gain_value(one))
            row += [MISSING if one is None else signed_bounds(one.low, one.high)] * has_bounds
    return Grid(tuple(headers), tuple(map(tuple, rows))) if rows else None


def fitting_gains(summary: Summary, width: int) -> tuple[Grid, tuple[Column, ...]] | None:
    """Lay out as many learning gains as a line has room for.

    Args:
        summary: The summary.
        width: Characters of a line.

    Returns:
        The table, in which the metric stays that setups are judged by, and the metrics left out; None where
        the untrained encoder was not run.
    """
    columns, _ = _gains(summary, summary.headline)
    shown = list(columns)
    order = sorted(shown, key=lambda one: PRIMARY.index(one.key) if one.key in PRIMARY else len(PRIMARY))
    grid = gain_grid(summary, shown)
    while grid is not None and grid.width > width and len(shown) > 1:
        shown.remove(order.pop())
        grid = gain_grid(summary, shown)
    return None if grid is None else (grid, tuple(column for column in columns if column not in shown))


def _gains(
    summary: Summary, chosen: Sequence[Column]
) -> tuple[tuple[Column, ...], tuple[tuple[str, tuple[Gain | None, ...]], ...]]:
    """The metrics with any gain, and the gains of each setup in their order."""
    found = {(one.setup, one.metric): one for one in summary.gains}
    columns = tuple(
        column
        for column in chosen
        if any(one.metric == column.key and isfinite(one.difference) for one in summary.gains)
    )
    shown = {row.name for row in summary.rows}
    setups = [name for name in dict.fromkeys(one.setup for one in summary.gains) if name in shown]
    rows = tuple((name, tuple(found.get((name, column.key)) for column in columns)) for name in setups)
    return columns, rows if columns else ()


def gain_value(one: Gain) -> str:
    """Write a gain.

    Args:
        one: The gain.

    Returns:
        Such as "+0.050*"; the mark as `CAPTION` says.
    """
    mark = "*" if one.has_learned else "!" if one.excludes_zero else ""
    return f"{signed(one.difference)}{mark}"
