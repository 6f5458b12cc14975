"""Aggregation of embeddings into profiles of wells or compounds; arrays only."""

from __future__ import annotations

import numpy as np

from morphobench.errors import InputError
from morphobench.types import Aggregate, Float32Array, Int64Array


def aggregate(
    embeddings: Float32Array, groups: Int64Array, *, how: Aggregate = "median"
) -> tuple[Float32Array, Int64Array]:
    """Aggregate rows into one profile per group.

    Args:
        embeddings: (N, D).
        groups: (N,) group numbers; below 0: in no group.
        how: "median" or "mean" of a group's rows, feature by feature.

    Returns:
        Profiles, float32 (G, D), ordered by group number; and the first row of each group, int64 (G,), from
        which its metadata can be read.

    Raises:
        InputError: Shapes that do not fit, no group, or another ``how``.
    """
    if embeddings.ndim != 2 or groups.shape != embeddings.shape[:1]:
        raise InputError(
            f"groups must be one number per row of embeddings {embeddings.shape}, got shape {groups.shape}"
        )
    if how not in ("mean", "median"):
        raise InputError(f"how must be mean or median, got {how!r}")
    order = np.argsort(groups, kind="stable")
    order = order[groups[order] >= 0]
    if not len(order):
        raise InputError("groups must hold at least one group, got none")
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
