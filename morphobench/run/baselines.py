"""Features that need no training and keep the setups honest; they pass through the same tasks.

A baseline is a function of a store's images; ``untrained_encoder`` is the one that needs a network and is
embedded in a process of its own, as the setups are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from morphobench.types import Float32Array, Int64Array, UInt8Array

PREFIX = "baseline/"
UNTRAINED = "untrained_encoder"
_CHUNK = 4096
_PIXEL_COMPONENTS = 64
_CHANCE_FEATURES = 64
_FIT_IMAGES = 5000

Features: TypeAlias = Callable[[UInt8Array, Int64Array, Int64Array, int], Float32Array]
"""(images uint8 (M, C, H, W), rows (N,) to describe, rows of train, seed) -> float32 (N, D)."""


def chance(images: UInt8Array, rows: Int64Array, train_rows: Int64Array, seed: int) -> Float32Array:  # noqa: ARG001
    """Standard normal numbers that have seen no image, float32 (N, 64): what metrics give for nothing."""
    return np.random.default_rng(seed).standard_normal((len(rows), _CHANCE_FEATURES), dtype=np.float32)


def mean_intensity(images: UInt8Array, rows: Int64Array, train_rows: Int64Array, seed: int) -> Float32Array:  # noqa: ARG001
    """The mean of each channel of each image, in 0..1: float32 (N, C)."""
    means = [images[part].mean(axis=(2, 3), dtype=np.float64) / 255 for part in _parts(rows)]
    return np.concatenate(means).astype(np.float32)


def pixel_pca(images: UInt8Array, rows: Int64Array, train_rows: Int64Array, seed: int) -> Float32Array:
    """At most 64 principal components of the pixels, fitted on up to 5,000 train images: float32 (N, D)."""
    from sklearn.decomposition import PCA

    if len(train_rows) > _FIT_IMAGES:
        train_rows = np.sort(np.random.default_rng(seed).choice(train_rows, _FIT_IMAGES, replace=False))
    fitted = _flat(images[train_rows])
    components = min(_PIXEL_COMPONENTS, *fitted.shape)
    pca = PCA(components, svd_solver="randomized", random_state=seed).fit(fitted)
    projected = [pca.transform(_flat(images[part])) for part in _parts(rows)]
    return np.concatenate(projected).astype(np.float32)


BASELINES: dict[str, Features | None] = {
    "chance": chance,
    "mean_intensity": mean_intensity,
    "pixel_pca": pixel_pca,
    UNTRAINED: None,
}
"""Every baseline by name; None for the one that needs a network."""


def _parts(rows: Int64Array) -> list[Int64Array]:
    return [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]


def _flat(images: UInt8Array) -> Float32Array:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
