"""Tables of what changed between two benchmark files, or two runs."""

from __future__ import annotations

import math

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from morphobench.report.statistics.regressions import Change, Regressions

_STYLES = {"worse": "bold red", "better": "green"}
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
            parts.append(_table(title, rows))
    hidden = sum(not one.changed for one in found.changes) if changed_only else 0
    notes = [*found.notes, *([f"{hidden} figures did not change"] if hidden else [])]
    return Group(*parts, *(Text(note, style="dim") for note in notes))


def _table(title: str, rows: list[Change]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    table.add_column("name", overflow="fold")
    table.add_column("figure", overflow="fold")
    for header in ("base", "new", "change", "95 %", "passes", ""):
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        cost, bounds = row.kind == "cost", (row.change.low, row.change.high)
        form = "x {:.3f}" if cost else "{:+.4g}"
        interval = " to ".join(f"{bound:.3f}" if cost else f"{bound:+.4g}" for bound in bounds)
        table.add_row(
            row.name,
            row.figure,
            *(f"{value:.4g}" for value in (row.base, row.new)),
            form.format(row.change.value),
            interval if all(map(math.isfinite, bounds)) else "–",
            f"x {row.threshold:g}" if cost else f"-{row.threshold:.3g}",
            Text(row.verdict or row.note, style=_STYLES.get(row.verdict, "dim")),
        )
    return table
