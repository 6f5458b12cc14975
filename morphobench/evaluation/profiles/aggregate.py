"""Profiles: embeddings aggregated by well, compound, ..., and normalized to the controls. Arrays only."""

from __future__ import annotations

import numpy as np

from morphobench.errors import InputError
from morphobench.types import Aggregate, BoolArray, Float32Array, Float64Array, Int64Array

_MAD_TO_SD = 1.482602218505602  # of a normal distribution


def aggregate(
    embeddings: Float32Array, groups: Int64Array, *, how: Aggregate = "median"
) -> tuple[Float32Array, Int64Array]:
    """One profile per group.

    Args:
        embeddings: (N, D).
        groups: (N,); below 0: in no group.
        how: Feature by feature the median or the mean of a group's rows.

    Returns:
        float32 (G, D) ordered by group number, and int64 (G,) the first row of each group, where its
        metadata stands.

    Raises:
        InputError: shapes that do not fit, no group, or another ``how``.
    """
    if embeddings.ndim != 2 or groups.shape != embeddings.shape[:1]:
        raise InputError(
            f"groups: one number per row of embeddings {embeddings.shape} wanted, got {groups.shape}"
        )
    if how not in ("mean", "median"):
        raise InputError(f"how: mean or median wanted, got {how!r}")
    order = np.argsort(groups, kind="stable")
    order = order[groups[order] >= 0]
    if not len(order):
        raise InputError("groups: at least one group wanted, got none")
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order[0]] - 1))
    parts = np.split(order, starts[1:])
    profiles = np.empty((len(parts), embeddings.shape[1]), dtype=np.float32)
    for profile, part in zip(profiles, parts, strict=True):
        profile[:] = (
            np.median(embeddings[part], axis=0)
            if how == "median"
            else embeddings[part].mean(axis=0, dtype=np.float64)
        )
    return profiles, order[starts].astype(np.int64)


def mad_robustize(
    profiles: Float32Array, controls: BoolArray, *, strata: Int64Array | None = None
) -> Float32Array:
    """(x - median) / (1.4826 MAD) of the controls, feature by feature, within each stratum.

    A feature whose controls have no median absolute deviation is divided by their standard deviation, and by
    1 where they have none either, rather than by nearly 0 (Caicedo et al. 2017, Nature Methods 14, for the
    method).

    Args:
        profiles: (N, D).
        controls: (N,) the negative controls.
        strata: (N,) normalized each by its own controls, as a rule the plate; None: all together.

    Raises:
        InputError: shapes that do not fit, or a stratum without two controls, named by its number.
    """
    result = np.empty(profiles.shape, dtype=np.float32)
    for rows, base in _by_stratum(profiles, controls, strata):
        middle = np.median(base, axis=0)
        spread = _MAD_TO_SD * np.median(np.abs(base - middle), axis=0)
        spread = np.where(spread > 0, spread, base.std(axis=0))
        result[rows] = (profiles[rows] - middle) / np.where(spread > 0, spread, 1)
    return result


def spherize(
    profiles: Float32Array,
    controls: BoolArray,
    *,
    strata: Int64Array | None = None,
    regularization: float = 0.01,
) -> Float32Array:
    """Whitens by the controls: after it their features are uncorrelated with equal variance (ZCA).

    x -> (x - mean) (C + r I)^(-1/2) with the controls' mean and covariance C and r = ``regularization`` times
    the mean of C's eigenvalues (Kessy, Lewin, Strimmer 2018, The American Statistician 72, for ZCA; as in
    the field's sphering, controls should look alike). Works with fewer controls than features.

    Args:
        profiles: (N, D).
        controls: (N,) the negative controls.
        strata: As in `mad_robustize`.
        regularization: Above 0.

    Raises:
        InputError: As `mad_robustize`, or a regularization of 0 or less, or controls all equal.
    """
    if not regularization > 0:
        raise InputError(f"regularization: above 0 wanted, got {regularization}")
    result = np.empty(profiles.shape, dtype=np.float32)
    for rows, base in _by_stratum(profiles, controls, strata):
        mean = base.mean(axis=0)
        # C = V diag(variance) V^T has at most as many directions as controls; all others have variance 0.
        _, singular, directions = np.linalg.svd(base - mean, full_matrices=False)
        variance = singular**2 / (len(base) - 1)
        ridge = regularization * variance.sum() / profiles.shape[1]
        if ridge == 0:
            raise InputError("controls: at least two different ones wanted, got equal ones")
        centred = profiles[rows] - mean
        along = centred @ directions.T
        change = 1 / np.sqrt(variance + ridge) - 1 / np.sqrt(ridge)
        result[rows] = centred / np.sqrt(ridge) + (along * change) @ directions
    return result


def _by_stratum(
    profiles: Float32Array, controls: BoolArray, strata: Int64Array | None
) -> list[tuple[Int64Array, Float64Array]]:
    """Rows of each stratum, and its controls in float64."""
    count = len(profiles)
    strata = np.zeros(count, np.int64) if strata is None else strata
    if profiles.ndim != 2 or controls.shape != (count,) or strata.shape != (count,):
        raise InputError(
            f"controls, strata: shape ({count},) wanted, got {controls.shape} and {strata.shape}"
        )
    parts = []
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        base = profiles[rows[controls[rows]]].astype(np.float64)
        if len(base) < 2:
            raise InputError(f"controls: at least 2 in every stratum wanted, got {len(base)} in {stratum}")
        parts.append((rows, base))
    return parts
