"""The table of learning gains: a row a setup, a column a metric."""

from __future__ import annotations

from morphobench.report.render.formats import MISSING, signed
from morphobench.report.render.grid import Grid
from morphobench.report.statistics.gain import Gain
from morphobench.report.summary import Summary

ARROWS = {"up": "↑", "down": "↓"}

CAPTION = (
    "Learning gain: trained minus the same encoder untrained, of all seeds. *: the 95 % interval excludes 0 "
    "and training has helped; !: it excludes 0 and training has harmed."
)


def gain_grid(summary: Summary) -> Grid | None:
    """Lay out the learning gains of the main table's metrics.

    Args:
        summary: The summary.

    Returns:
        The table; None where the untrained encoder was not run.
    """
    found = {(one.setup, one.metric): one for one in summary.gains}
    columns = [c for c in summary.headline if any(metric == c.key for _, metric in found)]
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
            cells += [MISSING, MISSING] if one is None else [_value(one), _bounds(one)]
        rows.append(tuple(cells))
    return Grid(tuple(headers), tuple(rows))


def _value(one: Gain) -> str:
    mark = "*" if one.has_learned else "!" if one.excludes_zero else ""
    return f"{signed(one.difference)}{mark}"


def _bounds(one: Gain) -> str:
    return MISSING if one.reason else f"{signed(one.low)} to {signed(one.high)}"
