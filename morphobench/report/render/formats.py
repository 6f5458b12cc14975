"""How one column of the table is written, the same in the terminal and on the page."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from morphobench.report.columns import Column
from morphobench.report.render.numbers import MISSING, number, scale
from morphobench.report.statistics.table import Cell, Row

ARROWS = {"up": "↑", "down": "↓", "none": ""}
BEST, BEATEN, BEST_BEATEN = "*", "°", "!"


@dataclass(frozen=True)
class Format:
    """Unit, digits and parts of a column: ``spread`` over seeds and ``interval`` where any row has one."""

    column: Column
    divisor: float
    unit: str
    spread: bool
    interval: bool
    mark_width: int

    @classmethod
    def of(cls, column: Column, rows: Iterable[Row], *, spread: bool = True, interval: bool = True) -> Format:
        """The format that suits the values of ``rows``; ``spread`` and ``interval``: whether deviations and
        intervals may be shown.
        """
        cells = [row.cells[column.key] for row in rows]
        divisor, unit = scale([cell.value for cell in cells], column.unit)
        interval = interval and any(math.isfinite(cell.low) for cell in cells)
        spread = spread and not column.is_cost and any(math.isfinite(cell.deviation) for cell in cells)
        return cls(
            column, divisor, unit, spread, interval, max((len(_mark(cell)) for cell in cells), default=0)
        )

    @property
    def unit_and_arrow(self) -> str:
        """Such as "ms ↓"; empty for a ratio without a direction."""
        return " ".join(part for part in (self.unit, ARROWS[self.column.direction]) if part)

    @property
    def digits(self) -> int:
        """Decimals of values below 10."""
        return 1 if self.column.is_cost or self.column.unit == "%" else 3

    def value(self, cell: Cell) -> str:
        """The value, with its deviation over seeds where that is shown."""
        text = number(cell.value / self.divisor, digits=self.digits)
        if self.spread and math.isfinite(cell.deviation):
            deviation = number(cell.deviation / self.divisor, digits=self.digits)
            text += f"±{deviation.removeprefix('0')}"
        return text

    def bounds(self, cell: Cell) -> str:
        """The interval, a dash where there is none."""
        if not math.isfinite(cell.low):
            return MISSING
        low, high = (number(bound / self.divisor, digits=2) for bound in (cell.low, cell.high))
        return f"{low}–{high}" if cell.low >= 0 else f"{low} to {high}"

    def mark(self, cell: Cell) -> str:
        """``*``: the best; ``°``: does not beat every baseline; ``!``: the best, which does not either."""
        return _mark(cell)


def _mark(cell: Cell) -> str:
    if cell.best:
        return BEST_BEATEN if cell.beaten else BEST
    return BEATEN if cell.beaten else ""
