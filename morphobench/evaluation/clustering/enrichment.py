"""Composition of clusters: sizes, enriched compounds and cell lines, typical members."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.types import Float32Array, Int64Array

EXAMPLES = 5


def enrichment(labels: Int64Array, names: NDArray[np.object_], *, kind: str) -> pd.DataFrame:
    """Test whether names are more frequent in a cluster than among all points.

    Args:
        labels: (N,) cluster of each point; -1 (noise) is no cluster, but counts among all points.
        names: (N,) name of each point, e.g. its compound.
        kind: What the names are, for the column ``kind``.

    Returns:
        One row per cluster and name found in it: ``count`` of the cluster's ``size`` points, the count
        ``expected``, ``odds_ratio``, the one-sided p-value ``p`` of Fisher's exact test, and ``q``, which is
        ``p`` corrected for all clusters and names (Benjamini and Hochberg 1995).
    """
    from scipy.stats import false_discovery_control, hypergeom

    counts = pd.crosstab(labels, names.astype(str))
    table, clusters, kinds = counts.to_numpy(np.float64), counts.index.to_numpy(), counts.columns.to_numpy()
    sizes, totals, everything = table.sum(axis=1, keepdims=True), table.sum(axis=0), table.sum()
    expected = sizes * totals / everything
    # Fisher's exact test for "more frequent" is the upper tail of the hypergeometric distribution.
    p = np.asarray(hypergeom.sf(table - 1, everything, totals, sizes))
    outside = totals - table
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = table * (everything - sizes - outside) / ((sizes - table) * outside)
    tested = np.broadcast_to((clusters >= 0)[:, None], table.shape)
    q = np.full(table.shape, np.nan)
    if tested.any():
        q[tested] = false_discovery_control(np.clip(p[tested], 0, 1))
    cluster, name = np.nonzero((table > 0) & tested)
    rows = pd.DataFrame(
        {
            "cluster": clusters[cluster],
            "kind": kind,
            "name": kinds[name],
            "size": sizes[cluster, 0].astype(np.int64),
            "count": table[cluster, name].astype(np.int64),
            "expected": expected[cluster, name],
            "odds_ratio": odds[cluster, name],
            "p": p[cluster, name],
            "q": q[cluster, name],
        }
    )
    return rows.sort_values(["cluster", "p", "name"], ignore_index=True)


def members(points: Float32Array, labels: Int64Array, *, examples: int = EXAMPLES) -> pd.DataFrame:
    """Choose typical points of each cluster: those nearest to its mean.

    Args:
        points: (N, 2).
        labels: (N,) cluster of each point; -1: noise.
        examples: Points per cluster.

    Returns:
        One row per cluster and example: ``cluster``, ``size``, ``rank`` from 0, ``position`` among the N
        points.
    """
    records = []
    for cluster in np.unique(labels[labels >= 0]):
        inside = np.flatnonzero(labels == cluster)
        gaps = np.linalg.norm(points[inside] - points[inside].mean(axis=0), axis=1)
        for rank, position in enumerate(inside[np.argsort(gaps, kind="stable")[:examples]]):
            records.append(
                {"cluster": int(cluster), "size": len(inside), "rank": rank, "position": int(position)}
            )
    return pd.DataFrame(records, columns=["cluster", "size", "rank", "position"])
