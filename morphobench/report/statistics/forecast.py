"""What more data would bring: a saturating power law through points of a learning curve; no I/O.

gain(n) = a - b n^-c with b >= 0: the form that errors of learned models follow in the number of examples
(Cortes, Jackel, Solla, Vapnik and Denker 1993, NIPS 6; Hestness et al. 2017, arXiv:1712.00409; Viering and
Loog 2022, arXiv:2103.10948, who also say where it fails).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from morphobench.types import Float64Array

LEAST_POINTS = 3
_EXPONENTS = np.linspace(0.1, 2.0, 20)
_DRAWS = 1000


@dataclass(frozen=True)
class Forecast:
    """Gain expected at a larger size.

    Attributes:
        size: The size, in the unit of the curve's points.
        value: The expected gain; NaN where there is no forecast.
        low: Lower bound of its 95 % interval.
        high: Upper bound.
        reason: Why there is no forecast; "" where there is one.
    """

    size: float
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    reason: str = ""


def forecast(
    sizes: Sequence[float], gains: Sequence[float], errors: Sequence[float], *, at: float, seed: int = 0
) -> Forecast:
    """Extend a learning curve by a saturating power law.

    The interval is that of refits to points redrawn with their standard errors. It holds only if the law
    does, and says nothing of data that differ from those at hand.

    Args:
        sizes: Number of plates (or images, or epochs) of each point, above 0.
        gains: Gain at each, larger being better.
        errors: Its standard error, above 0; a point without a finite one is left out.
        at: The size to forecast.
        seed: Seed of the redrawing.

    Returns:
        The forecast, or the reason why there is none: fewer than three sizes with a gain and its error.
    """
    n, y, e = (np.asarray(one, dtype=np.float64) for one in (sizes, gains, errors))
    known = np.isfinite(y) & np.isfinite(e) & (e > 0)
    count = len(np.unique(n[known]))
    if count < LEAST_POINTS:
        return Forecast(at, reason=f"{LEAST_POINTS} sizes with an interval are needed, got {count}")
    n, y, e = n[known], y[known], e[known]
    drawn = y + e * np.random.default_rng(seed).standard_normal((_DRAWS, len(y)))
    # sizes relative to the largest, so that b is of the order of the gains
    found = _fitted(n / n.max(), np.vstack([y, drawn]), e, at / n.max())
    low, high = np.quantile(found[1:], (0.025, 0.975))
    return Forecast(at, float(found[0]), float(low), float(high))


def _fitted(n: Float64Array, y: Float64Array, errors: Float64Array, at: float) -> Float64Array:
    """Value at a size of the best law through each row of ``y`` (R, P): for each exponent a straight line."""
    weights = errors**-2 / (errors**-2).sum()
    best = np.full(len(y), np.inf)
    value = np.empty(len(y))
    level = y @ weights
    for exponent in _EXPONENTS:
        x = n**-exponent
        centred = x - x @ weights
        slope = np.minimum((y @ (weights * centred)) / (weights @ centred**2), 0)  # -b
        misfit = ((y - level[:, None] - slope[:, None] * centred) ** 2) @ weights
        better = misfit < best
        best[better] = misfit[better]
        value[better] = (level + slope * (at**-exponent - x @ weights))[better]
    return value
