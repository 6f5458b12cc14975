"""Tables of what changed between two benchmark files, or two runs."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.text import Text

from morphobench._util.text import printable
from morphobench.report.render.formats import MISSING
from morphobench.report.render.grid import Grid
from morphobench.report.render.terminal import GridTable
from morphobench.report.statistics.changes import Change
from morphobench.report.statistics.regressions import Regressions

_HEADERS = ("name and figure", "base", "new", "change", "95 %", "passes", "")
_TITLES = {"cost": "Costs, new / base", "quality": "Quality, new - base"}


def comparison_table(found: Regressions, *, changed_only: bool = False) -> RenderableType:
    """Make one table of costs and one of quality.

    Args:
        found: what changed.
        changed_only: leave out what did not change significantly.

    Returns:
        The tables, with the geometric means below the costs, and the notes.
    """
    parts: list[RenderableType] = []
    for kind, title in _TITLES.items():
        rows = [one for one in found.changes if one.kind == kind and (one.changed or not changed_only)]
        rows += [one for one in found.means if one.kind == kind]
        if rows:
            parts += [Text(title, style="bold"), GridTable(_grid(rows))]
    hidden = sum(not one.changed for one in found.changes) if changed_only else 0
    notes = [*found.notes, *([f"{hidden} figures did not change"] if hidden else [])]
    return Group(*parts, *(Text(printable(note), style="dim") for note in notes))


def _grid(rows: list[Change]) -> Grid:
    cells = []
    for row in rows:
        cost, bounds = row.kind == "cost", (row.change.low, row.change.high)
        form = "x {:.3f}" if cost else "{:+.4g}"
        interval = " to ".join(f"{bound:.3f}" if cost else f"{bound:+.4g}" for bound in bounds)
        cells.append(
            (
                printable(f"{row.name} {row.figure}".rstrip()),
                *(f"{value:.4g}" for value in (row.base, row.new)),
                form.format(row.change.value),
                interval if all(map(math.isfinite, bounds)) else MISSING,
                f"x {row.threshold:g}" if cost else f"-{row.threshold:.3g}",
                row.verdict or row.note,
            )
        )
    verdict = len(_HEADERS) - 1
    bold = frozenset((i, verdict) for i, row in enumerate(rows) if row.verdict == "worse")
    return Grid(_HEADERS, tuple(cells), bold)
