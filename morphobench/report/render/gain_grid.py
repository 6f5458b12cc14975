"""The table of learning gains: a row a setup, a column a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from morphobench.report.render.formats import MISSING, number, signed
from morphobench.report.render.grid import Grid
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.gain import Gain
from morphobench.report.summary import Summary

ARROWS = {"up": "↑", "down": "↓"}

CAPTION = (
    "Learning gain: trained minus the same encoder untrained, of all seeds. *: the 95 % interval excludes 0 "
    "and training has helped; !: it excludes 0 and training has harmed."
)


RESTRICTED = (
    *("restrictions.map_nsp", "restrictions.map_nsp_without_top"),
    *("restrictions.moa_nsc", "restrictions.moa_nscb", "restrictions.moa_nscb_without_top"),
    "restrictions.unseen_compound_auc",
)
"""Restricted metrics whose gains have a table of their own."""

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
    told = (
        "The same where matches of the same plate, compound or batch are left out (restrictions); every "
        "compound or mechanism counts alike in map and its pairs are resampled. without top: without the "
        "most frequent compound. "
    )
    made = [
        ("gains", "Learning gain", CAPTION, gain_grid(summary)),
        ("restricted", "Learning gain under restrictions", told, gain_grid(summary, restricted)),
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
            rows.append(("" if place else curve.setup, size, gain_value(one.gain), gain_bounds(one.gain)))
        expected = curve.expected
        if expected is not None:
            found = ("", f"{expected.size:,.0f} {curve.axis}, forecast")
            if expected.reason:
                rows.append((*found, "none", expected.reason))
            else:
                bounds = f"{signed(expected.low)} to {signed(expected.high)}"
                rows.append((*found, signed(expected.value), bounds))
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


def gain_grid(summary: Summary, chosen: Sequence[Column] | None = None) -> Grid | None:
    """Lay out learning gains.

    Args:
        summary: The summary.
        chosen: Metrics to show (default: those of the main table).

    Returns:
        The table; None where the untrained encoder was not run.
    """
    found = {(one.setup, one.metric): one for one in summary.gains}
    metrics = summary.headline if chosen is None else chosen
    columns = [c for c in metrics if any(metric == c.key for _, metric in found)]
    shown = {row.name for row in summary.rows}
    setups = [name for name in dict.fromkeys(one.setup for one in summary.gains) if name in shown]
    if not columns or not setups:
        return None
    headers = ["learning gain"]
    for column in columns:
        headers += [f"{column.heading} {ARROWS[column.direction]}".replace(" ", "\n"), "95 %\ninterval"]
    rows = []
    for setup in setups:
        cells = [f"gain {setup}"]
        for column in columns:
            one = found.get((setup, column.key))
            cells += [MISSING, MISSING] if one is None else [gain_value(one), gain_bounds(one)]
        rows.append(tuple(cells))
    return Grid(tuple(headers), tuple(rows))


def gain_value(one: Gain) -> str:
    """Write a gain.

    Args:
        one: The gain.

    Returns:
        Such as "+0.050*"; the mark as `CAPTION` says.
    """
    mark = "*" if one.has_learned else "!" if one.excludes_zero else ""
    return f"{signed(one.difference)}{mark}"


def gain_bounds(one: Gain) -> str:
    """Write the interval of a gain.

    Args:
        one: The gain.

    Returns:
        Such as "+0.010 to +0.090"; a dash where there is none.
    """
    return MISSING if one.reason else f"{signed(one.low)} to {signed(one.high)}"
