"""Audit of a store: the data set's own limits, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from morphobench import types
from morphobench._util.json import read_json, write_json
from morphobench.data import ImageStore, split, subset
from morphobench.errors import InputError
from morphobench.evaluation import EvaluationInput, baselines
from morphobench.evaluation.audit import TaskAudit, audit, plates_with_few_controls
from morphobench.evaluation.profiles.table import LEAST_CONTROLS
from morphobench.evaluation.shortcuts import leading_components, shortcut_features, statistics_columns
from morphobench.evaluation.tasks.shortcuts import LINE, ledgers
from morphobench.types import Float32Array, Int64Array

IMAGES = 4000
"""Images that an audit looks at, unless told otherwise."""

METRICS_OF = {
    "classification": ("classification.", "shortcuts.classification", "restrictions.unseen_compound"),
    "mechanism": (
        "profiling.moa",
        "profiling.matching",
        "profiling.nsc",
        "profiling.probe",
        "restrictions.moa",
        "shortcuts.mechanism",
    ),
    "compound": (
        "profiling.replic",
        "profiling.knn",
        "restrictions.map",
        "restrictions.knn",
        "shortcuts.compound",
    ),
}
"""First letters of the metrics that depend on the labels of each audited task."""


def audit_store(
    store_path: types.Path,
    *,
    images: int | None = IMAGES,
    seed: int = 0,
    split_by: types.SplitBy = "auto",
) -> dict[str, Any]:
    """Audit the images of a store, as a run of the same size and seed would split them.

    Args:
        store_path: The store.
        images: Images to look at, at most; None: all.
        seed: Seed of the split.
        split_by: What its parts must not share, as for a run.

    Returns:
        As `audit_images`.

    Raises:
        InputError: The store cannot be read, or its images cannot be split.
    """
    store = ImageStore.open(store_path)
    count = len(store) if images is None else min(images, len(store))
    rows = subset(store.metadata, images=count, seed=0)
    metadata = store.metadata.iloc[rows]
    parts = split(metadata, seed=seed, group_by=None if split_by == "auto" else split_by)
    return audit_images(
        store, rows, metadata.assign(Metadata_Split=np.asarray(parts.labels, dtype=object)), seed
    )


def audit_images(store: ImageStore, rows: Int64Array, metadata: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Audit images that are split already.

    Args:
        store: The store.
        rows: Its rows that are used, (N,).
        metadata: Their metadata with ``Metadata_Split``.
        seed: Seed of the baselines.

    Returns:
        As plain JSON types: ``images``, ``tasks`` (a `TaskAudit` by task), ``verdicts`` (sentences),
        ``marked``: first letters of metrics that are not to be trusted, with the reason, and ``shortcuts``:
        by question, what the components of pixels lose with each shortcut.
    """
    images = store.images[rows]
    train = np.asarray(metadata["Metadata_Split"] == "train", dtype=bool)
    made: dict[str, Float32Array] = {"mean_intensity": baselines.mean_intensity(images)}
    if train.any():
        made["pca_pixels"] = baselines.pca_pixels(images[train], images, seed=seed)
    described = metadata.assign(**statistics_columns(images))
    inputs = EvaluationInput(made["mean_intensity"], described, seed=seed)
    found = audit(inputs, made)
    few, plates = plates_with_few_controls(inputs)
    verdicts = [text for one in found.values() for text in one.verdicts]
    if few:
        verdicts.append(
            f"{len(few)} of {plates} plates have fewer than {LEAST_CONTROLS} control wells, so profiles "
            "cannot be normalized plate by plate"
        )
    return {
        "images": len(rows),
        "tasks": {name: asdict(one) for name, one in found.items()},
        "plates_with_few_controls": few,
        "verdicts": verdicts,
        "marked": marked_metrics(found),
        "shortcuts": _shortcuts(inputs, made["pca_pixels"]) if train.any() else {},
    }


def _shortcuts(inputs: EvaluationInput, pixels: Float32Array) -> dict[str, list[dict[str, Any]]]:
    """The shortcut ledger of the components of pixels, by question."""
    features = leading_components(pixels, inputs.in_split("train"))
    tables = ledgers(inputs, features, shortcut_features(inputs))
    return {
        name: [{key: row[key] for key in LINE} for _, row in one.iterrows()] for name, one in tables.items()
    }


def marked_metrics(found: Mapping[str, TaskAudit]) -> dict[str, str]:
    """List the metrics that tables mark.

    Args:
        found: Audit by task.

    Returns:
        "confounded", "saturated" or both, by the first letters of the metrics' names.
    """
    marked: dict[str, str] = {}
    for name, one in found.items():
        words = [word for word in ("confounded", "saturated") if getattr(one, word)]
        if words:
            marked |= dict.fromkeys(METRICS_OF[name], " and ".join(words))
    return marked


def audit_of_run(file: Path, store: ImageStore, rows: Int64Array, metadata: pd.DataFrame) -> dict[str, Any]:
    """Audit the images of a run, once: the result is kept in a file.

    Args:
        file: The file, written where it is absent.
        store: The store.
        rows: Its rows that are used; of more than `IMAGES`, a subset is looked at.
        metadata: Their metadata with ``Metadata_Split``.

    Returns:
        ``verdicts``, ``marked`` and ``shortcuts`` as of `audit_images`; empty where metadata allow no audit.
    """
    if not file.is_file():
        kept = subset(metadata, images=min(IMAGES, len(rows)), seed=0)
        try:
            found: dict[str, Any] | None = audit_images(store, rows[kept], metadata.iloc[kept], 0)
        except InputError as error:
            found = {"not_audited": str(error)}
        write_json(file, found)
    content = read_json(file)
    known = content if isinstance(content, dict) else {}
    return {key: known[key] for key in ("verdicts", "marked", "shortcuts") if key in known}
