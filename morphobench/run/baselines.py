"""Features that need no training and keep the setups honest; they pass through the same tasks.

Untrained encoders are those that need a network: they are embedded in a process of their own, as setups are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pandas as pd

from morphobench.errors import InputError
from morphobench.evaluation import baselines
from morphobench.evaluation.nuisance import DENSITY_COLUMNS, field_values
from morphobench.types import Float32Array, Int64Array, UInt8Array

PREFIX = "baseline/"
UNTRAINED = "untrained_encoder"
UNTRAINED_BATCH_NORM = "untrained_batch_norm"
BATCH_NORM_ENCODER = "batch_norm_cnn"

Features: TypeAlias = Callable[[UInt8Array, Int64Array, Int64Array, int, pd.DataFrame], Float32Array]
"""(images uint8 (M, C, H, W), rows (N,) to describe, rows of train, seed, metadata of the N) -> (N, D)."""


def _chance(
    images: UInt8Array,  # noqa: ARG001
    rows: Int64Array,
    train_rows: Int64Array,  # noqa: ARG001
    seed: int,
    metadata: pd.DataFrame,  # noqa: ARG001
) -> Float32Array:
    return baselines.chance(len(rows), seed=seed)


def _mean_intensity(
    images: UInt8Array,
    rows: Int64Array,
    train_rows: Int64Array,  # noqa: ARG001
    seed: int,  # noqa: ARG001
    metadata: pd.DataFrame,  # noqa: ARG001
) -> Float32Array:
    return baselines.mean_intensity(images[rows])


def _pca_pixels(
    images: UInt8Array,
    rows: Int64Array,
    train_rows: Int64Array,
    seed: int,
    metadata: pd.DataFrame,  # noqa: ARG001
) -> Float32Array:
    return baselines.pca_pixels(images[train_rows], images[rows], seed=seed)


def _field(name: str) -> Features:
    def features(
        images: UInt8Array,  # noqa: ARG001
        rows: Int64Array,  # noqa: ARG001
        train_rows: Int64Array,  # noqa: ARG001
        seed: int,  # noqa: ARG001
        metadata: pd.DataFrame,
    ) -> Float32Array:
        values = field_values(metadata, name)
        if values is None:
            columns = " or ".join(DENSITY_COLUMNS[name])
            raise InputError(f"metadata must hold different values of {columns} for baseline {name}")
        return values[:, None]

    return features


def _cp_measure(
    images: UInt8Array,
    rows: Int64Array,
    train_rows: Int64Array,  # noqa: ARG001
    seed: int,  # noqa: ARG001
    metadata: pd.DataFrame,  # noqa: ARG001
) -> Float32Array:
    from morphobench.evaluation.classic_features import classic_features

    return classic_features(images[rows])


BASELINES: dict[str, Features | None] = {
    "chance": _chance,
    "mean_intensity": _mean_intensity,
    "pca_pixels": _pca_pixels,
    "cell_count": _field("cell_count"),
    "field_density": _field("field_density"),
    "cp_measure": _cp_measure,
    UNTRAINED: None,
    UNTRAINED_BATCH_NORM: None,
}
"""Every baseline by name; None for those that need a network."""


def baseline_names(names: tuple[str, ...], encoders: tuple[str, ...], metadata: pd.DataFrame) -> list[str]:
    """List the baselines of a run.

    Args:
        names: Those asked for.
        encoders: Encoders that the run trains.
        metadata: Metadata of its images.

    Returns:
        Names; the untrained encoder once for each of several encoders, as "name@encoder". Left out: numbers
        of cells where they are not known, and the encoder with BatchNorm where the run trains it.
    """
    found = []
    for name in names:
        if name == UNTRAINED and len(encoders) > 1:
            found += [f"{name}@{encoder}" for encoder in encoders]
        elif name in DENSITY_COLUMNS:
            found += [name] * (field_values(metadata, name) is not None)
        elif name != UNTRAINED_BATCH_NORM or BATCH_NORM_ENCODER not in encoders:
            found.append(name)
    return found
