"""Scores of a clustering; arrays only. Cluster -1 is noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.types import Float32Array, Int64Array

INTERNAL = ("silhouette", "calinski_harabasz", "davies_bouldin")
LARGEST_DISTANCE_MATRIX = 10_000
"""Points above which the silhouette is computed on a random sample of this size."""


def internal_scores(
    points: Float32Array,
    labels: Int64Array,
    *,
    undefined: float = float("nan"),
    distances: Float32Array | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Silhouette, Calinski-Harabasz and Davies-Bouldin scores, by scikit-learn.

    Args:
        points: (N, D).
        labels: (N,) clusters.
        undefined: Value where there are not between 2 and N - 1 clusters.
        distances: (N, N) distance matrix of the points, where it is known already.
        seed: Seed of the sample for the silhouette of many points.

    Returns:
        Score by name.
    """
    from sklearn import metrics

    clusters = len(np.unique(labels))
    if not 2 <= clusters <= len(labels) - 1:
        return dict.fromkeys(INTERNAL, undefined)
    if distances is not None:
        silhouette = metrics.silhouette_score(distances, labels, metric="precomputed")
    else:
        size = LARGEST_DISTANCE_MATRIX if len(labels) > LARGEST_DISTANCE_MATRIX else None
        silhouette = metrics.silhouette_score(points, labels, sample_size=size, random_state=seed % 2**32)
    return {
        "silhouette": float(silhouette),
        "calinski_harabasz": float(metrics.calinski_harabasz_score(points, labels)),
        "davies_bouldin": float(metrics.davies_bouldin_score(points, labels)),
    }


def consistency(labels: Int64Array, names: NDArray[np.object_]) -> float:
    """The study's consistency: 100 / number of distinct names in a cluster, the median over clusters.

    Args:
        labels: (N,) clusters; noise is left out.
        names: (N,) names, e.g. compounds.

    Returns:
        Percent; NaN without a cluster.
    """
    found = [100 / len(set(names[labels == cluster])) for cluster in np.unique(labels[labels >= 0])]
    return float(np.median(found)) if found else float("nan")


def homogeneity(labels: Int64Array, names: NDArray[np.object_]) -> float:
    """Homogeneity 1 - H(name given cluster) / H(name) of the points that are not noise, by scikit-learn.

    0 where clusters say nothing of the name, 1 where each cluster holds one name (Rosenberg and Hirschberg
    2007, section 2).

    Args:
        labels: (N,) clusters.
        names: (N,) names, e.g. compounds.

    Returns:
        0 to 1; NaN where the points have fewer than two names.
    """
    from sklearn.metrics import homogeneity_score

    kept = labels >= 0
    if len(set(names[kept])) < 2:
        return float("nan")
    return float(homogeneity_score(names[kept].astype(str), labels[kept]))


def agreement(labels: Int64Array, names: NDArray[np.object_]) -> tuple[float, float]:
    """Adjusted Rand index and normalized mutual information of clusters and names, by scikit-learn.

    Args:
        labels: (N,) clusters.
        names: (N,) names.

    Returns:
        Both scores; NaN where the points have fewer than two names.
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
    """Choose the sweep's best row by the study's rule.

    Rows of at least the median silhouette; of those, rows of at most the median Davies-Bouldin score; then
    least noise, most clusters, best silhouette.

    Args:
        table: One row per sweep point, with the columns silhouette, davies_bouldin, noise and clusters.

    Returns:
        Index of the row; None where no row has its scores.
    """
    rows = table.dropna(subset=["silhouette", "davies_bouldin"])
    if rows.empty:
        return None
    rows = rows[rows["silhouette"] >= rows["silhouette"].median()]
    rows = rows[rows["davies_bouldin"] <= rows["davies_bouldin"].median()]
    rows = rows[rows["noise"] == rows["noise"].min()]
    rows = rows[rows["clusters"] == rows["clusters"].max()]
    return int(rows["silhouette"].idxmax())
