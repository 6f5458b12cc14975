"""What clusters are made of: sizes, enriched compounds and cell lines, and typical members."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.evaluation.clustering.scores import contingency
from morphobench.types import Float32Array, Float64Array, Int64Array

EXAMPLES = 5


def enrichment(labels: Int64Array, names: NDArray[np.object_], *, kind: str) -> pd.DataFrame:
    """Whether each of ``names`` (N,) is more frequent in each cluster than among all N points.

    One row per cluster (-1, noise, is none) and name found in it: ``count`` of the cluster's ``size``
    points, the count ``expected``, ``odds_ratio``, and the one-sided p-value of Fisher's exact test,
    ``p``, with ``q`` corrected for all clusters and names of the table (Benjamini and Hochberg 1995).
    ``kind`` says what the names are.
    """
    from scipy.stats import hypergeom

    table = contingency(labels, names).astype(np.float64)
    clusters, kinds = np.unique(labels), np.unique(names.astype(str))
    sizes, totals, everything = table.sum(axis=1, keepdims=True), table.sum(axis=0), table.sum()
    expected = sizes * totals / everything
    # Fisher's exact test that asks for more is the upper tail of the hypergeometric distribution.
    p = np.asarray(hypergeom.sf(table - 1, everything, totals, sizes))
    outside = totals - table
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = table * (everything - sizes - outside) / ((sizes - table) * outside)
    tested = np.broadcast_to((clusters >= 0)[:, None], table.shape)
    q = np.full(table.shape, np.nan)
    q[tested] = benjamini_hochberg(p[tested])
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


def benjamini_hochberg(p: Float64Array) -> Float64Array:
    """p-values (N,) corrected for their number so that a threshold bounds the false discovery rate."""
    order = np.argsort(p)[::-1]
    ranks = np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum.accumulate(np.minimum(p[order] * len(p) / ranks, 1))
    return corrected


def members(points: Float32Array, labels: Int64Array, *, examples: int = EXAMPLES) -> pd.DataFrame:
    """The clusters' typical points: those nearest to the mean of their cluster on ``points`` (N, 2).

    One row per cluster and example: ``cluster``, ``size``, ``rank`` from 0, ``position`` among the N points.
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
