"""Points of a learning curve: the same run with fewer training plates or epochs, in folders of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from morphobench.data import ImageStore
from morphobench.errors import InputError
from morphobench.run.folder import CURVES
from morphobench.run.options import RunOptions
from morphobench.types import Int64Array


def curve_points(out: Path, options: RunOptions) -> Iterator[tuple[Path, RunOptions]]:
    """List the further runs that learning curves need.

    A point has the run's images, splits, seeds and evaluation, and trains on fewer plates or for fewer
    epochs. Its baselines are the run's own: they do not depend on what setups train on.

    Args:
        out: Folder of the run, which trains on the largest fraction for all epochs.
        options: Its options.

    Yields:
        Folder and options of each point.
    """
    full = replace(
        options,
        train_fraction=(max(options.train_fraction),),
        curve_epochs=(),
        baselines=(),
    )
    for fraction in sorted(set(options.train_fraction) - {max(options.train_fraction)}):
        yield out / CURVES / f"fraction-{fraction:g}", replace(full, train_fraction=(fraction,))
    for epochs in sorted(set(options.curve_epochs) - {options.training.epochs}):
        training = replace(options.training, epochs=epochs)
        yield out / CURVES / f"epochs-{epochs}", replace(full, training=training)


def train_rows_of(rows: Int64Array, metadata: pd.DataFrame, fraction: float, seed: int) -> Int64Array:
    """Choose the training images of a fraction of the training plates.

    Plates are drawn in one random order for each seed, so that a smaller fraction is part of a larger one.
    The first plates of each control type come first, so that two plates hold both.

    Args:
        rows: Rows of the store that the run uses, int64 (N,).
        metadata: Their metadata with ``Metadata_Split``.
        fraction: Share of the training plates, above 0, at most 1; at least one plate stays.
        seed: Seed of the order.

    Returns:
        Rows of the store, int64.

    Raises:
        InputError: Plates are unknown, or the fraction holds fewer control types than the train part.
    """
    train = np.asarray(metadata["Metadata_Split"] == "train", dtype=bool)
    if fraction == 1:
        return np.asarray(rows[train], dtype=np.int64)
    if "Metadata_Plate" not in metadata or metadata["Metadata_Plate"].isna().any():
        raise InputError(
            f"--train-fraction must be 1 where Metadata_Plate is not known of all images, got {fraction:g}"
        )
    plates = metadata["Metadata_Plate"].astype(str).to_numpy()
    order = np.random.default_rng([seed, 0x706C6174]).permutation(np.unique(plates[train]))
    kinds = (metadata["Metadata_ControlType"] == "negcon").to_numpy()
    holding = [
        next((plate for plate in order if (train & (plates == plate) & (kinds == kind)).any()), None)
        for kind in (True, False)
    ]
    first = [plate for plate in dict.fromkeys(holding) if plate is not None]
    ordered = [*first, *(plate for plate in order if plate not in first)]
    count = max(1, round(fraction * len(ordered)))
    chosen = train & np.isin(plates, ordered[:count])
    if len(np.unique(kinds[chosen])) < len(np.unique(kinds[train])):
        raise InputError(
            f"--train-fraction must leave plates with both controls and drugs, got {fraction:g}: "
            f"{count} of {len(ordered)} plates"
        )
    found: Int64Array = rows[chosen]
    return found


def trained_on(store: ImageStore, rows: Int64Array) -> dict[str, int | None]:
    """Count what a setup is trained on.

    Args:
        store: The store.
        rows: Its rows that are trained on, int64.

    Returns:
        ``train_images`` and ``train_plates`` of a record; None for plates that are not known.
    """
    metadata = store.metadata.iloc[rows]
    plates = int(metadata["Metadata_Plate"].nunique()) if "Metadata_Plate" in metadata else 0
    return {"train_images": len(rows), "train_plates": plates or None}
