"""Intervals of image profiling: compounds, mechanisms, plates or wells are resampled; arrays only.

Cluster bootstrap over queries: the score of each query is fixed, queries are resampled by compound (or by
mechanism, where the question is about mechanisms), because queries of one compound find each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench.evaluation.bootstrap.interval import Interval, no_interval
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.evaluation.bootstrap.resampling import (
    Units,
    divide_defined,
    mean_interval,
    plates_or_wells,
    share_interval,
)
from morphobench.evaluation.retrieval.average_precision import GroupRetrieval
from morphobench.evaluation.retrieval.linear_probe import Probe
from morphobench.types import BoolArray, Float64Array


def retrieval_intervals(
    found: GroupRetrieval, names: Sequence[Any] | NDArray[Any], unit: str, *, threshold: float, seed: int
) -> tuple[Interval, Interval]:
    """Intervals of mean average precision over groups, and of the share of groups retrieved.

    Args:
        found: Mean average precision of each of G groups.
        names: (G,) compound or mechanism that is resampled.
        unit: "compound" or "mechanism".
        threshold: A group is retrieved where its q-value is below this.
        seed: Seed of the resamples.

    Returns:
        Interval of the mean, and of the share.
    """
    if not len(found.groups):
        nothing = no_interval(float("nan"), Reason("undefined_statistic"))
        return nothing, nothing
    units = Units.of(names, unit)
    values = found.mean_average_precision
    retrieved = share_interval(found.q_values < threshold, units, seed=seed)
    # Random rankings alone make the mean vary by this much.
    least = float(np.sqrt(np.sum(found.chance_deviation**2))) / len(values)
    return mean_interval(values, units, seed=seed, least_error=least), retrieved


def hits_interval(hits: BoolArray, names: Sequence[Any] | NDArray[Any], unit: str, *, seed: int) -> Interval:
    """Interval of the share of hits.

    Args:
        hits: (Q,) whether each query or group is a hit.
        names: (Q,) compound or mechanism of each.
        unit: "compound" or "mechanism".
        seed: Seed of the resamples.

    Returns:
        Interval, or the reason why there is none.
    """
    if not len(hits):
        return no_interval(float("nan"), Reason("undefined_statistic"))
    return share_interval(hits, Units.of(names, unit), seed=seed)


def probe_interval(
    probe: Probe, *, plates: NDArray[Any] | None, wells: NDArray[Any] | None, seed: int
) -> Interval:
    """Interval of the linear probe's balanced accuracy.

    A class that a resample lacks does not count in it.

    Args:
        probe: Result of the probe.
        plates: Plate of every profile; None: unknown.
        wells: Well of every profile; None: unknown.
        seed: Seed of the resamples.

    Returns:
        Interval, or the reason why there is none.
    """
    if not len(probe.rows):
        return no_interval(float("nan"), Reason("undefined_statistic"))
    rows = probe.rows
    units = plates_or_wells(None if plates is None else plates[rows], None if wells is None else wells[rows])
    if isinstance(units, Reason):
        return no_interval(probe.balanced_accuracy, units)
    classes = probe.labels[:, None] == np.unique(probe.labels)
    asked = units.sums(classes)
    right = units.sums(classes & (probe.predicted == probe.labels)[:, None])

    def at(weights: Float64Array) -> Float64Array:
        return np.asarray(
            np.nanmean(divide_defined(weights @ right, weights @ asked), axis=1), dtype=np.float64
        )

    return units.interval(probe.balanced_accuracy, at, seed=seed)
