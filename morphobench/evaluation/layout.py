"""Two-dimensional points for clustering: UMAP, with one exact neighbour graph for any number of
neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from morphobench.types import Float32Array, Int64Array

MIN_DISTANCE = 0.1
SPREAD = 1.0


@dataclass(frozen=True)
class NeighbourGraph:
    """The nearest neighbours of every point, itself first: ``indices`` int64 and ``distances`` float32,
    (N, K)."""

    indices: Int64Array
    distances: Float32Array


def nearest_neighbours(embeddings: Float32Array, *, neighbours: int) -> NeighbourGraph:
    """The exact euclidean neighbours of each row of ``embeddings`` (N, D), ``neighbours`` of them with
    itself.

    faiss finds them; distances are then computed again from differences, because those from a matrix
    product lose digits between near points, where UMAP's local scales are set.
    """
    import faiss

    rows, features = embeddings.shape
    index = faiss.IndexFlatL2(features)
    centered = np.ascontiguousarray(embeddings - embeddings.mean(axis=0, dtype=np.float64).astype(np.float32))
    index.add(centered)
    _, found = index.search(centered, neighbours)
    indices = np.asarray(found, dtype=np.int64)
    distances = np.empty(indices.shape, dtype=np.float32)
    for row in range(rows):
        mine = indices[row]
        if row not in mine:  # more copies of the point than neighbours asked for
            mine[-1] = row
        gaps = np.linalg.norm(embeddings[mine] - embeddings[row], axis=1)
        order = np.lexsort((mine, gaps, mine != row))
        indices[row], distances[row] = mine[order], gaps[order]
    return NeighbourGraph(indices, distances)


def fuzzy_graph(graph: NeighbourGraph, *, neighbours: int) -> csr_matrix:
    """UMAP's edge strengths (N, N) from the first ``neighbours`` of each point in ``graph``.

    Each point's neighbours get exp(-(distance - nearest) / scale), their strengths adding up to
    log2(neighbours); an edge's two directions are joined by a + b - ab (section 3.1 of arXiv:1802.03426).
    """
    with _quiet():
        from umap.umap_ import fuzzy_simplicial_set

        strengths, _, _ = fuzzy_simplicial_set(
            np.empty((len(graph.indices), 1), dtype=np.float32),  # only its length is looked at
            neighbours,
            None,
            "euclidean",
            knn_indices=np.ascontiguousarray(graph.indices[:, :neighbours]),
            knn_dists=np.ascontiguousarray(graph.distances[:, :neighbours]),
        )
    return csr_matrix(strengths)


def umap_points(
    embeddings: Float32Array, graph: NeighbourGraph, *, neighbours: int, seed: int
) -> Float32Array:
    """UMAP's 2-D points (N, 2) from the first ``neighbours`` of each point in ``graph``; one thread,
    reproducible.

    The same as ``umap.UMAP(n_neighbors=neighbours, random_state=seed).fit_transform(embeddings)`` where
    that searches exactly (below 4,096 points), without its search. McInnes, Healy and Melville,
    arXiv:1802.03426.
    """
    with _quiet():
        from umap.umap_ import find_ab_params, simplicial_set_embedding

        strengths = fuzzy_graph(graph, neighbours=neighbours)
        a, b = find_ab_params(SPREAD, MIN_DISTANCE)
        points, _ = simplicial_set_embedding(
            embeddings,
            strengths,
            n_components=2,
            initial_alpha=1.0,
            a=a,
            b=b,
            gamma=1.0,
            negative_sample_rate=5,
            n_epochs=None,
            init="spectral",
            random_state=np.random.RandomState(seed),
            metric="euclidean",
            metric_kwds={},
            densmap=False,
            densmap_kwds={},
            output_dens=False,
            parallel=False,
        )
    return np.nan_to_num(np.asarray(points, dtype=np.float32))


def hdbscan_labels(points: Float32Array, *, min_cluster_size: int) -> Int64Array:
    """HDBSCAN's clusters of ``points`` (N, 2) with min_samples 1; -1 is noise. Campello et al. 2013."""
    with _quiet():
        from hdbscan import HDBSCAN

        found = HDBSCAN(min_samples=1, min_cluster_size=min_cluster_size).fit(points).labels_
    return np.asarray(found, dtype=np.int64)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides what umap-learn and hdbscan say about other packages' versions and about disconnected graphs."""
    with warnings.catch_warnings():
        for category in (FutureWarning, DeprecationWarning, ImportWarning, SyntaxWarning):
            warnings.simplefilter("ignore", category)
        for module in ("umap", "sklearn", "hdbscan", "numba", "scipy"):
            warnings.filterwarnings("ignore", category=UserWarning, module=module)
            warnings.filterwarnings("ignore", category=RuntimeWarning, module=module)
        yield
