"""UMAP layouts of embeddings in two dimensions, and HDBSCAN's clusters of the points.

corrected-1 uses this implementation of UMAP's defaults: one neighbour graph serves every number of
neighbours, points are reproducible for a seed, and several layouts run at once. Tests compare it with
umap-learn, which reference-1 uses.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackError, eigsh

from morphobench import _core
from morphobench._util.cpu import available_cores
from morphobench.evaluation.clustering.knn_graph import fuzzy_graph
from morphobench.evaluation.neighbours import Neighbours
from morphobench.types import Float32Array, Float64Array, Int64Array

# 1 / (1 + a r^(2b)) fits UMAP's default min_dist 0.1 and spread 1 with these.
_A, _B = 1.5769434602697652, 0.8950608778515733
_NEGATIVES_PER_EDGE = 5
_EXTENT = 10.0
_DENSE = 64  # points up to which all eigenvectors at once are quicker, and always found


def umap_points(embeddings: Float32Array, graph: Neighbours, *, neighbours: int, seed: int) -> Float32Array:
    """Compute UMAP's points in two dimensions.

    McInnes, Healy and Melville, arXiv:1802.03426: 500 epochs up to 10,000 points, 200 above; spectral
    initialization; five negative samples per edge.

    Args:
        embeddings: (N, D); they place the parts of a graph that is not connected.
        graph: Neighbours of each point, the point itself first.
        neighbours: How many of them to use.
        seed: Seed; the same seed gives the same points.

    Returns:
        float32 (N, 2).
    """
    strengths = fuzzy_graph(graph, neighbours=neighbours)
    rows = strengths.shape[0]
    epochs = 500 if rows <= 10_000 else 200
    edges = coo_matrix(strengths)
    kept = edges.data >= edges.data.max(initial=0) / epochs  # weaker ones would never be visited
    edges = coo_matrix((edges.data[kept], (edges.row[kept], edges.col[kept])), shape=edges.shape)
    generator = np.random.default_rng(seed)
    points = _start(csr_matrix(edges), embeddings, generator)
    points = points * (_EXTENT / max(np.abs(points).max(), 1e-12)) + generator.normal(0, 1e-4, points.shape)
    low, high = points.min(axis=0), points.max(axis=0)
    placed = np.ascontiguousarray(_EXTENT * (points - low) / (high - low), dtype=np.float32)
    _core.umap_sgd(
        placed,
        edges.row.astype(np.int32),
        edges.col.astype(np.int32),
        edges.data.astype(np.float32),
        epochs=epochs,
        a=_A,
        b=_B,
        negatives_per_edge=_NEGATIVES_PER_EDGE,
        seed=int(generator.integers(2**63)),
    )
    return placed


def umap_layouts(
    embeddings: Float32Array,
    graph: Neighbours,
    *,
    neighbours: Sequence[int],
    seed: int,
    threads: int | None = None,
) -> list[Float32Array]:
    """Run `umap_points` for several numbers of neighbours at once.

    Args:
        embeddings: (N, D).
        graph: Neighbours of each point, the point itself first.
        neighbours: Numbers of neighbours.
        seed: Seed of every layout.
        threads: Threads; None: one per available core. No result depends on it.

    Returns:
        Points (N, 2) for each number of neighbours.
    """

    def one(number: int) -> Float32Array:
        return umap_points(embeddings, graph, neighbours=number, seed=seed)

    with ThreadPoolExecutor(threads or available_cores()) as pool:
        # The longest first, so that none of them runs alone at the end.
        order = sorted(range(len(neighbours)), key=lambda each: -neighbours[each])
        jobs = {each: pool.submit(one, neighbours[each]) for each in order}
        return [jobs[each].result() for each in range(len(neighbours))]


def umap_learn_points(embeddings: Float32Array, *, neighbours: int, seed: int) -> Float32Array:
    """Compute the points by umap-learn with its defaults, as reference-1 asks.

    Args:
        embeddings: (N, D).
        neighbours: UMAP's n_neighbors.
        seed: Seed; the same seed gives the same points.

    Returns:
        float32 (N, 2).
    """
    largest = np.abs(embeddings).max(initial=0)
    if largest > 1e15:  # squared distances would pass float32, and UMAP find no neighbours
        embeddings = embeddings / largest
    with warnings.catch_warnings():
        # It warns of its own use of numba and scikit-learn, and that a fixed seed means one thread.
        warnings.simplefilter("ignore")
        from umap import UMAP

        layout = UMAP(n_neighbors=neighbours, metric="euclidean", random_state=seed % 2**32, n_jobs=1)
        return np.asarray(layout.fit_transform(embeddings), dtype=np.float32)


def hdbscan_labels(points: Float32Array, *, min_cluster_size: int) -> Int64Array:
    """Cluster points by HDBSCAN with min_samples 1 (Campello et al. 2013).

    Args:
        points: (N, 2).
        min_cluster_size: Fewest points of a cluster.

    Returns:
        int64 (N,); -1: noise.
    """
    with warnings.catch_warnings():
        # hdbscan still calls parts of scikit-learn by their old names, and warns of its own regexes.
        for category in (FutureWarning, DeprecationWarning, SyntaxWarning):
            warnings.simplefilter("ignore", category)
        from hdbscan import HDBSCAN

        found = HDBSCAN(min_samples=1, min_cluster_size=min_cluster_size).fit(points).labels_
    return np.asarray(found, dtype=np.int64)


def _start(strengths: csr_matrix, embeddings: Float32Array, generator: np.random.Generator) -> Float64Array:
    """Spectral layout of the graph; of each part about the part's place where it is not connected."""
    count, part = connected_components(strengths, directed=False)
    if count == 1:
        return _spectral(strengths, generator)
    centers = np.stack([embeddings[part == each].mean(axis=0, dtype=np.float64) for each in range(count)])
    places = _principal(centers)
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    points = np.empty((strengths.shape[0], 2))
    for each in range(count):
        members = np.flatnonzero(part == each)
        inside = _spectral(csr_matrix(strengths[members][:, members]), generator)
        reach = gaps[each].min() / 2
        points[members] = places[each] + inside * (reach / max(np.abs(inside).max(), 1e-12))
    return points


def _principal(centers: Float64Array) -> Float64Array:
    """Places (P, 2) for the parts' centers (P, D): their first two principal components, largest value 1."""
    centered = centers - centers.mean(axis=0)
    left, values, _ = np.linalg.svd(centered, full_matrices=False)
    places = np.zeros((len(centers), 2))
    known = min(2, len(values))
    places[:, :known] = left[:, :known] * values[:known]
    largest = np.abs(places).max()
    if largest <= 0:  # parts of one center: side by side
        places[:, 0], largest = np.arange(len(centers)), len(centers)
    scaled: Float64Array = places / largest
    return scaled


def _spectral(strengths: csr_matrix, generator: np.random.Generator) -> Float64Array:
    """The second and third eigenvector of the normalized Laplacian (N, 2); random where there are none."""
    rows = strengths.shape[0]
    if rows < 4:
        return generator.uniform(-1, 1, (rows, 2))
    scale = 1 / np.sqrt(np.asarray(strengths.sum(axis=1)).ravel())
    affinity = csr_matrix(diags_array(scale) @ strengths @ diags_array(scale))
    if rows <= _DENSE:
        vectors: Float64Array = np.linalg.eigh(affinity.toarray().astype(np.float64))[1]
        return np.ascontiguousarray(vectors[:, -3:-1])
    try:
        values, vectors = eigsh(affinity, k=3, which="LA", tol=1e-4, v0=generator.normal(size=rows))
    except ArpackError:  # no convergence: UMAP starts at random then, too
        return generator.uniform(-1, 1, (rows, 2))
    second_and_third: Float64Array = vectors[:, np.argsort(-values)[1:3]].astype(np.float64)
    return second_and_third
