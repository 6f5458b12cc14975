"""Percent replicating and percent matching: correlation within groups against random sets; arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from morphobench.errors import InputError
from morphobench.evaluation.retrieval.checks import check_rows
from morphobench.types import Float32Array, Float64Array, Int64Array

_LARGEST_GROUP = 512
_CHUNK_VALUES = 1 << 20  # numbers of random sets held at a time


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
    unit = _unit_rows(profiles)
    names, counts = np.unique(groups[groups >= 0], return_counts=True)
    members = [_evenly_spaced(np.flatnonzero(groups == name)) for name in names]
    sizes = np.minimum(counts, _LARGEST_GROUP)
    thresholds = {
        size: _null_quantile(unit, members, min(size, len(names)), null_size, quantile, seed)
        for size in set(sizes[sizes >= 2].tolist())
        if len(names) >= 2
    }
    kept = [(name, size) for name, size in zip(names, sizes, strict=True) if size in thresholds]
    medians = np.array(
        [
            _median_correlations(unit[own][None])[0]
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
    unit: Float64Array,
    members: Sequence[Int64Array],
    size: int,
    null_size: int,
    quantile: float,
    seed: int,
) -> float:
    generator = np.random.default_rng((seed, size))
    rows = np.empty((null_size, size), dtype=np.int64)
    for draw in range(null_size):
        chosen = generator.choice(len(members), size, replace=False)
        rows[draw] = [members[group][generator.integers(len(members[group]))] for group in chosen]
    step = max(1, _CHUNK_VALUES // (size * max(size, unit.shape[1])))
    medians = [_median_correlations(unit[rows[start : start + step]]) for start in range(0, null_size, step)]
    return float(np.quantile(np.concatenate(medians), quantile))


def _unit_rows(profiles: Float32Array) -> Float64Array:
    """Profiles (N, D) with mean 0 and length 1, so that their products are Pearson correlations."""
    unit = profiles - profiles.mean(axis=1, keepdims=True, dtype=np.float64)
    norms = np.linalg.norm(unit, axis=1, keepdims=True)
    return np.asarray(unit / np.maximum(norms, np.finfo(np.float64).tiny))


def _median_correlations(unit: Float64Array) -> Float64Array:
    """Median correlation over the pairs of each set of profiles: (S, n, D) to (S,)."""
    pairs = np.triu_indices(unit.shape[1], 1)
    return np.asarray(np.median((unit @ unit.swapaxes(1, 2))[:, pairs[0], pairs[1]], axis=1))
