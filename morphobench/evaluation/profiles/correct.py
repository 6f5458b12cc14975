"""Batch correction of profiles: typical variation normalization (TVN) and Harmony; arrays only."""

from __future__ import annotations

import numpy as np

from morphobench._util.extras import load_extra
from morphobench.errors import InputError
from morphobench.types import BoolArray, Float32Array, Float64Array, Int64Array

_HARMONY_COMPONENTS = 50


def tvn(profiles: Float32Array, controls: BoolArray, batches: Int64Array) -> Float32Array:
    """Normalize the typical variation of the controls (TVN; Ando, McLean and Berndl 2017, bioRxiv 161422).

    First all profiles are rotated to the principal components of all controls, and each component is scaled
    to variance 1 over these. Then the covariance of each batch's controls is aligned to that of all controls
    (CORAL; Sun, Feng and Saenko 2016), both with the identity added as regularization.

    Args:
        profiles: (N, D).
        controls: bool (N,) negative controls.
        batches: (N,) batch of each profile, as a rule its plate.

    Returns:
        float32 (N, K): one column per principal component along which controls vary, at most the number of
        controls less one.

    Raises:
        InputError: Shapes that do not fit, or a batch without two controls.
    """
    count = len(profiles)
    if controls.shape != (count,) or batches.shape != (count,):
        raise InputError(
            f"controls and batches must have shape ({count},), got {controls.shape} and {batches.shape}"
        )
    base = profiles[controls].astype(np.float64)
    if len(base) < 2:
        raise InputError(f"controls must be at least 2 profiles, got {len(base)}")
    mean = base.mean(axis=0)
    _, singular, directions = np.linalg.svd(base - mean, full_matrices=False)
    kept = singular > singular[0] * 1e-6
    scale = np.sqrt(len(base) - 1) / singular[kept]
    whitened: Float64Array = (profiles - mean) @ directions[kept].T * scale
    target = _matrix_power(_covariance(whitened[controls]), 0.5)
    for batch in np.unique(batches):
        rows = batches == batch
        own = whitened[rows & controls]
        if len(own) < 2:
            raise InputError(f"controls must be at least 2 in every batch, got {len(own)} in batch {batch}")
        centred = whitened[rows] - own.mean(axis=0)
        whitened[rows] = centred @ _matrix_power(_covariance(own), -0.5) @ target
    return whitened.astype(np.float32)


def harmony(profiles: Float32Array, batches: Int64Array, *, seed: int = 0) -> Float32Array:
    """Correct batches by Harmony (Korsunsky et al. 2019, Nature Methods 16) on principal components.

    Args:
        profiles: (N, D).
        batches: (N,) batch of each profile.
        seed: Seed of Harmony's clusters.

    Returns:
        float32 (N, K) with at most 50 components.

    Raises:
        InputError: The package harmonypy is not installed.
    """
    harmonypy = load_extra("harmonypy", extra="harmony")
    import pandas as pd

    components = min(_HARMONY_COMPONENTS, len(profiles) - 1, profiles.shape[1])
    centred = profiles - profiles.mean(axis=0, dtype=np.float64)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    scores = left[:, :components] * singular[:components]
    table = pd.DataFrame({"batch": batches.astype(str)})
    found = harmonypy.run_harmony(scores, table, ["batch"], random_state=seed % 2**32, verbose=False)
    corrected = np.asarray(found.Z_corr)  # (K, N) in some versions, (N, K) in others
    return np.asarray(corrected if corrected.shape == scores.shape else corrected.T, dtype=np.float32)


def _covariance(rows: Float64Array) -> Float64Array:
    """Covariance with the identity added, so that few controls give an invertible one."""
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred.T @ centred / max(len(rows) - 1, 1) + np.eye(rows.shape[1]))


def _matrix_power(matrix: Float64Array, power: float) -> Float64Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * values**power) @ vectors.T)
