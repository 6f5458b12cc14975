"""Features that need no training and keep the setups honest; they pass through the same tasks.

Untrained encoders are those that need a network: they are embedded in a process of their own, as setups are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pandas as pd

from morphobench.errors import InputError
from morphobench.evaluation import baselines
from morphobench.evaluation.nuisance import DENSITY_COLUMNS, field_values
from morphobench.training import ImageRows
from morphobench.types import Float32Array, Int64Array, UInt8Array

PREFIX = "baseline/"
UNTRAINED = "untrained_encoder"
UNTRAINED_BATCH_NORM = "untrained_batch_norm"
BATCH_NORM_ENCODER = "batch_norm_cnn"


@dataclass(frozen=True)
class Inputs:
    """What a baseline may use.

    Attributes:
        images: uint8 (M, C, H, W).
        rows: (N,) of the images to describe.
        train_rows: Rows of the train part.
        seed: Random seed.
        metadata: Of the N images.
    """

    images: UInt8Array
    rows: Int64Array
    train_rows: Int64Array
    seed: int
    metadata: pd.DataFrame


Features: TypeAlias = Callable[[Inputs], Float32Array]
"""Gives (N, D)."""


def _pca_pixels(given: Inputs) -> Float32Array:
    train, images = (ImageRows(given.images, rows) for rows in (given.train_rows, given.rows))
    return baselines.pca_pixels(train, images, seed=given.seed)


def _field(name: str) -> Features:
    def features(given: Inputs) -> Float32Array:
        values = field_values(given.metadata, name)
        if values is None:
            columns = " or ".join(DENSITY_COLUMNS[name])
            raise InputError(f"metadata must hold different values of {columns} for baseline {name}")
        return values[:, None]

    return features


def _cp_measure(given: Inputs) -> Float32Array:
    from morphobench.evaluation.classic_features import classic_features

    return classic_features(given.images[given.rows])


BASELINES: dict[str, Features | None] = {
    "chance": lambda given: baselines.chance(len(given.rows), seed=given.seed),
    "mean_intensity": lambda given: baselines.mean_intensity(ImageRows(given.images, given.rows)),
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
