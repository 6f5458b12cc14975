"""Numbers as people read them, the same in the terminal, on the page and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.table import Cell, Row

ARROWS = {"up": "↑", "down": "↓", "none": ""}
BEATS = "*"
"""Behind a value: better than the best baseline, the paired 95 % interval of the difference excluding 0."""
MISSING = "–"
_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "ns": ((1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"), (60e9, "min"), (3600e9, "h")),
    "bytes": ((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB"), (2.0**40, "TiB")),
}


def scale(values: Iterable[float], unit: str) -> tuple[float, str]:
    """Choose the unit of a column.

    Args:
        values: its values.
        unit: "ns", "bytes", or any other text.

    Returns:
        The divisor and the unit in which the median of the values is at least 1; (1, unit) for other units.
    """
    known = [abs(value) for value in values if math.isfinite(value) and value]
    chosen = (1.0, _SCALES[unit][0][1]) if unit in _SCALES else (1.0, unit)
    for divisor, name in _SCALES.get(unit, ()):
        if known and median(known) >= divisor:
            chosen = (divisor, name)
    return chosen


def number(value: float, *, digits: int = 3) -> str:
    """Write a number with as many digits as mean something.

    Args:
        value: the number.
        digits: decimals below 10; above there are fewer.

    Returns:
        The text; a dash where the number is not finite.
    """
    if not math.isfinite(value):
        return MISSING
    for limit, decimals in ((10, digits), (100, min(digits, 1)), (1e12, 0)):
        if abs(round(value, decimals)) < limit:
            return f"{value:,.{decimals}f}"
    return f"{value:.1e}"


def with_unit(value: float, unit: str, *, digits: int = 2) -> str:
    """Write one value in the unit that suits it.

    Args:
        value: the value, in ``unit``.
        unit: "ns", "bytes", or any other text.
        digits: decimals below 10.

    Returns:
        Such as "1.50 ms" for 1.5e6 ns.
    """
    if not math.isfinite(value):
        return number(value)
    divisor, name = scale([value], unit)
    return f"{number(value / divisor, digits=digits)} {name}".rstrip()


def signed(value: float, *, digits: int = 3) -> str:
    """Write a difference with its sign.

    Args:
        value: the difference.
        digits: decimals below 10.

    Returns:
        Such as "+0.120"; a dash where it is not finite.
    """
    text = number(value, digits=digits)
    return f"+{text}" if math.isfinite(value) and value > 0 else text


def p_text(value: float) -> str:
    """Write a p-value.

    Args:
        value: the p-value.

    Returns:
        Such as "p = 0.012" or "p < 0.001"; a dash where it is not known.
    """
    if not math.isfinite(value):
        return MISSING
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


@dataclass(frozen=True)
class Format:
    """How one column is written.

    Attributes:
        column: the quantity.
        divisor: what values are divided by.
        unit: unit of the result.
        spread: whether deviations over seeds are shown.
        interval: whether any row has an interval.
    """

    column: Column
    divisor: float
    unit: str
    spread: bool
    interval: bool

    @classmethod
    def of(cls, column: Column, rows: Iterable[Row]) -> Format:
        """Choose the format that suits the values of some rows.

        Args:
            column: the quantity.
            rows: the rows that are shown together.

        Returns:
            The format.
        """
        cells = [row.cells[column.key] for row in rows if column.key in row.cells]
        divisor, unit = scale([cell.value for cell in cells], column.unit)
        return cls(
            column,
            divisor,
            unit,
            not column.is_cost and any(math.isfinite(cell.deviation) for cell in cells),
            any(math.isfinite(cell.low) for cell in cells),
        )

    @property
    def unit_and_arrow(self) -> str:
        """Such as "ms ↓"; empty for a ratio without a direction."""
        return " ".join(part for part in (self.unit, ARROWS[self.column.direction]) if part)

    @property
    def title(self) -> str:
        """Label, unit and arrow, such as "peak host memory in MiB ↓"."""
        unit = f" in {self.unit}" if self.unit else ""
        return f"{self.column.label}{unit} {ARROWS[self.column.direction]}".rstrip()

    @property
    def digits(self) -> int:
        """Decimals of values below 10."""
        return 1 if self.column.is_cost or self.column.unit == "%" else 3

    def value(self, cell: Cell) -> str:
        """Write a value.

        Args:
            cell: the cell.

        Returns:
            The value, with its deviation over seeds where that is shown.
        """
        text = number(cell.value / self.divisor, digits=self.digits)
        if self.spread and math.isfinite(cell.deviation):
            deviation = number(cell.deviation / self.divisor, digits=self.digits)
            text += f"±{deviation.removeprefix('0')}"
        return text

    def bounds(self, cell: Cell) -> str:
        """Write an interval.

        Args:
            cell: the cell.

        Returns:
            The interval; a dash where there is none.
        """
        return bounds(cell.low / self.divisor, cell.high / self.divisor)

    def mark(self, cell: Cell) -> str:
        """Mark a value that beats the best baseline.

        Args:
            cell: the cell.

        Returns:
            BEATS or nothing.
        """
        return BEATS if cell.beats else ""


def bounds(low: float, high: float, *, digits: int = 2) -> str:
    """Write an interval.

    Args:
        low: lower bound.
        high: upper bound.
        digits: decimals below 10.

    Returns:
        Such as "0.60–0.80" or "-0.10 to 0.20"; a dash where there is none.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return MISSING
    texts = number(low, digits=digits), number(high, digits=digits)
    return "–".join(texts) if low >= 0 else " to ".join(texts)


def signed_bounds(low: float, high: float) -> str:
    """Write the interval of a difference.

    Args:
        low: lower bound.
        high: upper bound.

    Returns:
        Such as "-0.010 to +0.120"; a dash where there is none.
    """
    return f"{signed(low)} to {signed(high)}" if math.isfinite(low) else MISSING
