"""Intervals of what profiles are judged by: compounds, mechanisms, plates or wells are drawn again; arrays
only.

Each query's answer stays as it is: what is drawn again is who is asked. Queries of one compound (or of one
mechanism, where that is the question) find each other, so they are drawn together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.evaluation.bootstrap.resampling import (
    Units,
    divided,
    mean_interval,
    none,
    plates_or_wells,
    share_interval,
)
from morphobench.evaluation.retrieval.average_precision import GroupRetrieval
from morphobench.evaluation.retrieval.matching import Probe
from morphobench.types import BoolArray, Float64Array


def retrieval_intervals(
    found: GroupRetrieval, names: Sequence[Any] | NDArray[Any], unit: str, *, threshold: float, seed: int
) -> tuple[Interval, Interval]:
    """Of the mean average precision over groups, and of the share with q below ``threshold``.

    ``names``: of each group (G,) the compound or mechanism that is drawn.
    """
    if not len(found.groups):
        nothing = none(float("nan"), "the statistic itself is undefined on these data")
        return nothing, nothing
    units = Units.of(names, unit)
    values = found.mean_average_precision
    retrieved = share_interval(found.q_values < threshold, units, seed=seed)
    # Random rankings alone make the mean vary by this much.
    least = float(np.sqrt(np.sum(found.chance_deviation**2))) / len(values)
    return mean_interval(values, units, seed=seed, least_error=least), retrieved


def hits_interval(hits: BoolArray, names: Sequence[Any] | NDArray[Any], unit: str, *, seed: int) -> Interval:
    """Of the share of ``hits`` (Q,), queries or groups that belong to ``names`` (Q,)."""
    if not len(hits):
        return none(float("nan"), "the statistic itself is undefined on these data")
    return share_interval(hits, Units.of(names, unit), seed=seed)


def probe_interval(
    probe: Probe, *, plates: NDArray[Any] | None, wells: NDArray[Any] | None, seed: int
) -> Interval:
    """Of the probe's balanced accuracy; ``plates`` and ``wells`` of every profile. A class that a resample
    lacks does not count in it.
    """
    if not len(probe.rows):
        return none(float("nan"), "the statistic itself is undefined on these data")
    rows = probe.rows
    units = plates_or_wells(None if plates is None else plates[rows], None if wells is None else wells[rows])
    if isinstance(units, str):
        return none(probe.balanced_accuracy, units)
    classes = probe.labels[:, None] == np.unique(probe.labels)
    asked = units.sums(classes)
    right = units.sums(classes & (probe.predicted == probe.labels)[:, None])

    def at(weights: Float64Array) -> Float64Array:
        return np.asarray(np.nanmean(divided(weights @ right, weights @ asked), axis=1), dtype=np.float64)

    return units.interval(probe.balanced_accuracy, at, seed=seed)
