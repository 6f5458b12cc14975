"""Scores of a clustering, from arrays alone. Cluster -1 is noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.types import Float32Array, Int64Array

INTERNAL = ("silhouette", "calinski_harabasz", "davies_bouldin")
LARGEST_DISTANCE_MATRIX = 10_000
"""Points beyond which the silhouette is computed on this many of them, drawn by the seed."""


def internal_scores(
    points: Float32Array,
    labels: Int64Array,
    *,
    undefined: float = float("nan"),
    distances: Float32Array | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Silhouette, Calinski-Harabasz and Davies-Bouldin of ``points`` (N, D) as ``labels`` (N,) part them.

    ``undefined`` stands where there are not between 2 and N - 1 clusters. ``distances``: the distance matrix
    (N, N) of the points, where it is known already. Formulas as in scikit-learn.
    """
    from sklearn import metrics

    clusters = len(np.unique(labels))
    if not 2 <= clusters <= len(labels) - 1:
        return dict.fromkeys(INTERNAL, undefined)
    if distances is not None:
        silhouette = metrics.silhouette_score(distances, labels, metric="precomputed")
    else:
        size = LARGEST_DISTANCE_MATRIX if len(labels) > LARGEST_DISTANCE_MATRIX else None
        silhouette = metrics.silhouette_score(points, labels, sample_size=size, random_state=seed)
    return {
        "silhouette": float(silhouette),
        "calinski_harabasz": float(metrics.calinski_harabasz_score(points, labels)),
        "davies_bouldin": float(metrics.davies_bouldin_score(points, labels)),
    }


def consistency(labels: Int64Array, names: NDArray[np.object_]) -> float:
    """The study's: 100 / number of distinct ``names`` in a cluster, median over clusters; noise left out."""
    found = [100 / len(set(names[labels == cluster])) for cluster in np.unique(labels[labels >= 0])]
    return float(np.median(found)) if found else float("nan")


def purity(labels: Int64Array, names: NDArray[np.object_]) -> float:
    """1 - H(name | cluster) / H(name): 0 where clusters say nothing of the name, 1 where each holds one name.

    The homogeneity of Rosenberg and Hirschberg (2007, section 2), over the points that are not noise; NaN
    where these have fewer than two names.
    """
    kept = labels >= 0
    table = contingency(labels[kept], names[kept])
    if table.shape[1] < 2:
        return float("nan")
    joint = table / table.sum()
    conditional = -np.sum(joint[joint > 0] * np.log((joint / joint.sum(axis=1, keepdims=True))[joint > 0]))
    marginal = joint.sum(axis=0)
    return float(1 - conditional / -np.sum(marginal * np.log(marginal)))


def contingency(labels: Int64Array, names: NDArray[np.object_]) -> Int64Array:
    """How many points of each name each cluster holds; (clusters, names), both in sorted order."""
    clusters, of_cluster = np.unique(labels, return_inverse=True)
    kinds, of_kind = np.unique(names.astype(str), return_inverse=True)
    table = np.zeros((len(clusters), len(kinds)), dtype=np.int64)
    np.add.at(table, (of_cluster, of_kind), 1)
    return table


def agreement(labels: Int64Array, names: NDArray[np.object_]) -> tuple[float, float]:
    """Adjusted Rand index and normalized mutual information of clusters and ``names``; NaN without two
    names.
    """
    from sklearn import metrics

    if len(labels) < 2 or len(set(names)) < 2:
        return float("nan"), float("nan")
    truth = names.astype(str)
    return (
        float(metrics.adjusted_rand_score(truth, labels)),
        float(metrics.normalized_mutual_info_score(truth, labels)),
    )


def best_row(table: pd.DataFrame) -> int | None:
    """The index of the sweep's best row by the study's rule; None where no row has its scores.

    Rows of at least the median silhouette, of those the ones of at most the median Davies-Bouldin, then least
    noise, most clusters, best silhouette.
    """
    rows = table.dropna(subset=["silhouette", "davies_bouldin"])
    if rows.empty:
        return None
    rows = rows[rows["silhouette"] >= rows["silhouette"].median()]
    rows = rows[rows["davies_bouldin"] <= rows["davies_bouldin"].median()]
    rows = rows[rows["noise"] == rows["noise"].min()]
    rows = rows[rows["clusters"] == rows["clusters"].max()]
    return int(rows["silhouette"].idxmax())
