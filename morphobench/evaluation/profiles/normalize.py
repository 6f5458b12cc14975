"""Normalization of profiles to negative controls; arrays only."""

from __future__ import annotations

import numpy as np

from morphobench.errors import InputError
from morphobench.types import BoolArray, Float32Array, Float64Array, Int64Array

_MAD_TO_SD = 1.482602218505602  # of a normal distribution


def mad_robustize(
    profiles: Float32Array, controls: BoolArray, *, strata: Int64Array | None = None
) -> Float32Array:
    """Normalize by median and median absolute deviation of the controls, feature by feature.

    (x - median) / (1.4826 MAD) within each stratum (Caicedo et al. 2017, Nature Methods 14). A feature whose
    controls have a MAD of 0 is divided by their standard deviation, and by 1 where that is 0 too.

    Args:
        profiles: (N, D).
        controls: bool (N,) negative controls.
        strata: (N,) stratum numbers, as a rule plates, each normalized by its own controls; None: one
            stratum.

    Returns:
        float32 (N, D).

    Raises:
        InputError: Shapes that do not fit, or a stratum without two controls, named by its number.
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
    """Whiten by the controls, so that their features become uncorrelated with equal variance (ZCA).

    x -> (x - mean) (C + r I)^(-1/2) with the controls' mean and covariance C, and r = ``regularization``
    times the mean of C's eigenvalues (Kessy, Lewin, Strimmer 2018, The American Statistician 72). Works with
    fewer controls than features.

    Args:
        profiles: (N, D).
        controls: bool (N,) negative controls.
        strata: As in `mad_robustize`.
        regularization: Share of the mean eigenvalue that is added, above 0.

    Returns:
        float32 (N, D).

    Raises:
        InputError: As `mad_robustize`, or a regularization of 0 or less, or controls all equal.
    """
    if not regularization > 0:
        raise InputError(f"regularization must be above 0, got {regularization}")
    result = np.empty(profiles.shape, dtype=np.float32)
    for rows, base in _by_stratum(profiles, controls, strata):
        mean = base.mean(axis=0)
        # C = V diag(variance) V^T has at most as many directions as controls; the others have variance 0.
        _, singular, directions = np.linalg.svd(base - mean, full_matrices=False)
        variance = singular**2 / (len(base) - 1)
        ridge = regularization * variance.sum() / profiles.shape[1]
        if ridge == 0:
            raise InputError("controls must be at least two different profiles, got equal ones")
        centred = profiles[rows] - mean
        along = centred @ directions.T
        change = 1 / np.sqrt(variance + ridge) - 1 / np.sqrt(ridge)
        result[rows] = centred / np.sqrt(ridge) + (along * change) @ directions
    return result


def _by_stratum(
    profiles: Float32Array, controls: BoolArray, strata: Int64Array | None
) -> list[tuple[Int64Array, Float64Array]]:
    """Rows of each stratum, and its controls as float64."""
    count = len(profiles)
    strata = np.zeros(count, np.int64) if strata is None else strata
    if profiles.ndim != 2 or controls.shape != (count,) or strata.shape != (count,):
        raise InputError(
            f"controls and strata must have shape ({count},), got {controls.shape} and {strata.shape}"
        )
    parts = []
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        base = profiles[rows[controls[rows]]].astype(np.float64)
        if len(base) < 2:
            raise InputError(
                f"controls must be at least 2 in every stratum, got {len(base)} in stratum {stratum}"
            )
        parts.append((rows, base))
    return parts
