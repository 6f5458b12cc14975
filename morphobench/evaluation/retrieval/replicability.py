"""Percent replicating and percent matching: correlation within groups against random sets; arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from morphobench.errors import InputError
from morphobench.evaluation.retrieval.checks import check_rows
from morphobench.types import Float32Array, Float64Array, Int64Array

_LARGEST_GROUP = 512


@dataclass(frozen=True)
class Replicability:
    """Correlation within each group of at least two profiles.

    Attributes:
        groups: (G,) group numbers.
        median_correlation: (G,) median correlation of a group's pairs.
        threshold: (G,) quantile of the null for the group's size.
        share: Share of groups above their threshold; NaN without a group.
    """

    groups: Int64Array
    median_correlation: Float64Array
    threshold: Float64Array
    share: float


def replicability(
    profiles: Float32Array,
    groups: Int64Array,
    *,
    null_size: int = 1000,
    quantile: float = 0.95,
    seed: int = 0,
) -> Replicability:
    """Test whether a group's profiles are more similar than as many profiles of different groups.

    The statistic is the median Pearson correlation over a group's pairs; the null is the same of
    ``null_size`` random sets of as many profiles, all of different groups (one of each group where groups are
    fewer). A group of more than 512 profiles is represented by 512 evenly spaced ones. With replicates as
    groups the share is "percent replicating"; with compounds' profiles grouped by mechanism it is "percent
    matching" (Way et al. 2022, Cell Systems 13, Methods).

    Args:
        profiles: (N, D) finite.
        groups: (N,) group numbers; below 0: in no group, and in no null.
        null_size: Random sets per group size.
        quantile: Quantile of the null that a group must exceed.
        seed: Seed of the sets.

    Returns:
        Result for each group.

    Raises:
        InputError: Shapes that do not fit, null_size below 1 or a quantile outside 0..1.
    """
    check_rows(profiles, groups=groups)
    if null_size < 1 or not 0 <= quantile <= 1:
        raise InputError(f"null_size must be at least 1 and quantile 0 to 1, got {null_size} and {quantile}")
    names, counts = np.unique(groups[groups >= 0], return_counts=True)
    members = [_evenly_spaced(np.flatnonzero(groups == name)) for name in names]
    sizes = np.minimum(counts, _LARGEST_GROUP)
    thresholds = {
        size: _null_quantile(profiles, members, min(size, len(names)), null_size, quantile, seed)
        for size in set(sizes[sizes >= 2].tolist())
        if len(names) >= 2
    }
    kept = [(name, size) for name, size in zip(names, sizes, strict=True) if size in thresholds]
    medians = np.array(
        [
            _median_correlation(profiles[own])
            for own, size in zip(members, sizes, strict=True)
            if size in thresholds
        ]
    )
    threshold = np.array([thresholds[size] for _, size in kept], dtype=np.float64)
    share = float(np.mean(medians > threshold)) if kept else float("nan")
    return Replicability(np.array([name for name, _ in kept], np.int64), medians, threshold, share)


def _evenly_spaced(rows: Int64Array) -> Int64Array:
    if len(rows) <= _LARGEST_GROUP:
        return rows
    return rows[np.arange(_LARGEST_GROUP) * len(rows) // _LARGEST_GROUP]


def _null_quantile(
    profiles: Float32Array,
    members: Sequence[Int64Array],
    size: int,
    null_size: int,
    quantile: float,
    seed: int,
) -> float:
    generator = np.random.default_rng((seed, size))
    values = np.empty(null_size)
    for draw in range(null_size):
        chosen = generator.choice(len(members), size, replace=False)
        rows = [members[group][generator.integers(len(members[group]))] for group in chosen]
        values[draw] = _median_correlation(profiles[rows])
    return float(np.quantile(values, quantile))


def _median_correlation(profiles: Float32Array) -> float:
    unit = profiles - profiles.mean(axis=1, keepdims=True, dtype=np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return float(np.median((unit @ unit.T)[np.triu_indices(len(unit), 1)]))
