"""Features that need no training and keep the setups honest; they pass through the same tasks.

``untrained_encoder`` is the one that needs a network: it is embedded in a process of its own, as setups are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from morphobench.evaluation import baselines
from morphobench.types import Float32Array, Int64Array, UInt8Array

PREFIX = "baseline/"
UNTRAINED = "untrained_encoder"

Features: TypeAlias = Callable[[UInt8Array, Int64Array, Int64Array, int], Float32Array]
"""(images uint8 (M, C, H, W), rows (N,) to describe, rows of train, seed) -> float32 (N, D)."""


def _chance(images: UInt8Array, rows: Int64Array, train_rows: Int64Array, seed: int) -> Float32Array:  # noqa: ARG001
    return baselines.chance(len(rows), seed=seed)


def _mean_intensity(images: UInt8Array, rows: Int64Array, train_rows: Int64Array, seed: int) -> Float32Array:  # noqa: ARG001
    return baselines.mean_intensity(images[rows])


def _pca_pixels(images: UInt8Array, rows: Int64Array, train_rows: Int64Array, seed: int) -> Float32Array:
    return baselines.pca_pixels(images[train_rows], images[rows], seed=seed)


BASELINES: dict[str, Features | None] = {
    "chance": _chance,
    "mean_intensity": _mean_intensity,
    "pca_pixels": _pca_pixels,
    UNTRAINED: None,
}
"""Every baseline by name; None for the one that needs a network."""
