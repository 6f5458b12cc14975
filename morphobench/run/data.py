"""The images of a run: which rows of the store are used, and how each seed splits them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from morphobench import types
from morphobench.data import ImageStore, split, subset
from morphobench.data.splits.split import Split
from morphobench.errors import InputError
from morphobench.evaluation.shortcuts import statistics_columns
from morphobench.objectives.registry import find
from morphobench.options import DataOptions
from morphobench.run.options import SetupOptions
from morphobench.setups import Setup
from morphobench.training import ImageRows
from morphobench.types import Int64Array

_SUBSET_SEED = 0  # every seed of a run looks at the same images


@dataclass(frozen=True)
class SeedData:
    """The images of one seed.

    Attributes:
        rows: Rows of the store, int64 (N,).
        parts: Their split.
        metadata: Their metadata with ``Metadata_Split``, N rows.
    """

    rows: Int64Array
    parts: Split
    metadata: pd.DataFrame

    def part(self, name: str) -> Int64Array:
        """Choose the images of one part.

        Args:
            name: "train", "validation" or "test".

        Returns:
            Rows of the store, int64.
        """
        chosen: Int64Array = self.rows[self.parts.rows(name)]
        return chosen


def open_data(store_path: types.Path, options: SetupOptions) -> tuple[ImageStore, Int64Array, dict[str, Any]]:
    """Open a store and choose the images that are used.

    Args:
        store_path: The store.
        options: How many images, and setups that may need both classes.

    Returns:
        The store, the rows that are used (int64), and what identifies them.

    Raises:
        InputError: The store cannot be read, or the setups need a class that the rows lack.
    """
    store = ImageStore.open(store_path)
    store.verify()  # a flipped bit is found before the hours of training
    wanted = options.data.images
    images = len(store) if wanted is None else min(wanted, len(store))
    rows = subset(store.metadata, images=images, seed=_SUBSET_SEED)
    _require_classes(store, rows, options)
    return (
        store,
        rows,
        {
            "content_sha256": store.manifest["content_sha256"],
            "images": len(rows),
            "image_shape": store.images.shape[1:],
        },
    )


def pixel_statistics(store: ImageStore, rows: Int64Array) -> pd.DataFrame:
    """Compute what the shortcut ledger needs of pixels.

    Args:
        store: The store.
        rows: Rows that are used, int64.

    Returns:
        Columns of metadata, indexed by the rows.
    """
    return pd.DataFrame(statistics_columns(ImageRows(store.images, rows)), index=rows)


def seed_data(
    store: ImageStore,
    rows: Int64Array,
    seed: int,
    options: DataOptions,
    statistics: pd.DataFrame | None = None,
) -> SeedData:
    """Split the images that a run uses.

    Args:
        store: The store.
        rows: Rows that are used, int64.
        seed: Seed of the split.
        options: What the parts must not share, and how many images of the train part stay at most.
        statistics: Further columns of metadata, by row of the store.

    Returns:
        The rows that stay, their split and their metadata.
    """
    metadata = store.metadata.iloc[rows]
    parts = split(metadata, seed=seed, group_by=None if options.split_by == "auto" else options.split_by)
    train_images = options.train_images
    train = np.flatnonzero(parts.labels == "train")
    if train_images is not None and len(train) > train_images:
        kept = parts.labels != "train"
        kept[train[subset(metadata.iloc[train], images=train_images, seed=_SUBSET_SEED)]] = True
        rows, metadata, parts = rows[kept], metadata[kept], replace(parts, labels=parts.labels[kept])
    described = metadata[[name for name in metadata.columns if str(name).startswith("Metadata_")]]
    described = described.assign(
        Metadata_ImageId=store.image_ids[rows], Metadata_Split=np.asarray(parts.labels, dtype=object)
    )
    if statistics is not None:
        described = described.drop(columns=list(statistics), errors="ignore").join(
            statistics.loc[rows].set_axis(described.index)
        )
    return SeedData(rows, parts, described)


def _require_classes(store: ImageStore, rows: Int64Array, options: SetupOptions) -> None:
    present = sorted({("control", "drug")[label] for label in store.labels[rows]})
    needing = [str(setup) for setup in options.setups if _needs_labels(setup, options)]
    if needing and len(present) < 2:
        raise InputError(
            f"Metadata_ControlType must hold both controls and drugs for {needing[0]}, "
            f"got only {present[0]} images; --setups can leave out what needs both"
        )


def _needs_labels(setup: Setup, options: SetupOptions) -> bool:
    objective = find(options.objective_of(setup))
    return bool(getattr(objective, "needs_labels", True))
