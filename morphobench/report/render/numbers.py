"""Numbers as people read them: one unit for a whole column, as many digits as mean something."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "ns": ((1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"), (60e9, "min"), (3600e9, "h")),
    "bytes": ((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB"), (2.0**40, "TiB")),
}

MISSING = "–"


def scale(values: Iterable[float], unit: str) -> tuple[float, str]:
    """The divisor and unit in which the median of ``values`` is at least 1; ``(1, unit)`` for other units."""
    known = [abs(value) for value in values if math.isfinite(value) and value]
    chosen = (1.0, _SCALES[unit][0][1]) if unit in _SCALES else (1.0, unit)
    for divisor, name in _SCALES.get(unit, ()):
        if known and median(known) >= divisor:
            chosen = (divisor, name)
    return chosen


def number(value: float, *, digits: int = 3) -> str:
    """``value`` with ``digits`` decimals below 10, fewer above; a dash where it is undefined."""
    if not math.isfinite(value):
        return MISSING
    for limit, decimals in ((10, digits), (100, min(digits, 1)), (math.inf, 0)):
        if abs(round(value, decimals)) < limit:
            return f"{value:,.{decimals}f}"
    return MISSING


def with_unit(value: float, unit: str, *, digits: int = 2) -> str:
    """One value in the unit that suits it: ``with_unit(1.5e6, "ns")`` is ``"1.50 ms"``."""
    if not math.isfinite(value):
        return number(value)
    divisor, name = scale([value], unit)
    return f"{number(value / divisor, digits=digits)} {name}".rstrip()
