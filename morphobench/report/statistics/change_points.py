"""Where a series of measurements changes its level, against the series' own noise; no I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from morphobench.types import Float64Array

PENALTY = 7.0
"""Price of a level, in units of log(n) times the noise's variance. Two parameters (level and place) cost at
least 2 log(n); the rest covers that the noise is estimated from a few values only."""
SHORTEST = 2
"""A level has at least so many measurements: a single one apart is an outlier."""
_LEAST_NOISE = 0.005  # of logarithms: half a percent


def change_points(values: Sequence[float]) -> list[int]:
    """Split a series of positive values into levels.

    The split of the logarithms with the least squared deviation plus price of levels, found exactly by
    dynamic programming (optimal partitioning; Jackson et al. 2005, IEEE Signal Processing Letters 12:105).
    The noise is the median absolute difference of successive values, which a few changes of level do not
    move. A running median over three values takes single outliers away before, and leaves steps as they are.

    Args:
        values: at least one, in the order of commits.

    Returns:
        Positions at which a new level begins, ascending, without 0.
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    count = len(logs)
    if count < 2 * SHORTEST:
        return []
    # differences of two values have twice the variance; 0.6745 makes the median a standard deviation
    noise = max(float(np.median(np.abs(np.diff(logs)))) / 0.6745 / math.sqrt(2), _LEAST_NOISE)
    logs = smoothed(logs)
    sums, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (logs, logs**2))
    price = PENALTY * math.log(count) * noise**2
    best, begins = [-price], [0]
    for end in range(1, count + 1):
        starts = [start for start in range(end - SHORTEST + 1) if math.isfinite(best[start])]
        costs = [
            best[start]
            + (squares[end] - squares[start])
            - (sums[end] - sums[start]) ** 2 / (end - start)
            + price
            for start in starts
        ]
        chosen = int(np.argmin(costs)) if costs else -1
        best.append(costs[chosen] if costs else math.inf)
        begins.append(starts[chosen] if costs else 0)
    found, end = [], count
    while end:
        end = begins[end]
        found.append(end)
    return found[-2::-1]


def smoothed(values: Float64Array) -> Float64Array:
    """Take the running median of three.

    Args:
        values: at least three.

    Returns:
        As many values; at the ends the median of the outer three.
    """
    inner = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    result: Float64Array = np.concatenate([inner[:1], inner, inner[-1:]])
    return result


def levels(values: Sequence[float], points: Sequence[int]) -> list[float]:
    """Give the geometric mean of each level.

    Args:
        values: the series.
        points: where new levels begin, as ``change_points`` gives them.

    Returns:
        One value for each level.
    """
    bounds = [0, *points, len(values)]
    parts = (np.log(values[start:end]) for start, end in pairwise(bounds))
    return [float(np.exp(part.mean())) for part in parts]
