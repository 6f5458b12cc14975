"""Neighbour graph of UMAP: the nearest neighbours of every embedding, and the fuzzy graph made of them."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from morphobench.evaluation.neighbours import EXACT_ROWS, NeighbourIndex, Neighbours
from morphobench.types import Float32Array, Float64Array

_STEPS = 64
_TOLERANCE = 1e-5
_SMALLEST_SCALE = 1e-3


def nearest_neighbours(
    embeddings: Float32Array, *, neighbours: int, exact_rows: int = EXACT_ROWS
) -> Neighbours:
    """Find the euclidean neighbours of each embedding, the embedding itself first.

    Args:
        embeddings: float32 (N, D).
        neighbours: Neighbours K of each, itself counted.
        exact_rows: Largest N that is searched exactly.

    Returns:
        Indices and distances (N, K).
    """
    found = NeighbourIndex(embeddings, exact_rows=exact_rows).search(embeddings, neighbours)
    indices, distances = found.indices, found.distances
    own = np.arange(len(indices))[:, None]
    # More copies of the point than neighbours asked for: it displaces the last of them.
    absent = ~(indices == own).any(axis=1)
    indices[absent, -1], distances[absent, -1] = np.flatnonzero(absent), 0
    order = np.argsort(indices != own, axis=1, kind="stable")
    return Neighbours(
        np.take_along_axis(indices, order, axis=1),
        np.take_along_axis(distances, order, axis=1),
        found.index,
        found.recall,
    )


def fuzzy_graph(graph: Neighbours, *, neighbours: int) -> csr_matrix:
    """Compute UMAP's edge strengths.

    A point's neighbours get exp(-(distance - nearest) / scale), with the scale at which they add up to
    log2(neighbours). The two directions of an edge are joined by a + b - ab (arXiv:1802.03426, section 3.1).

    Args:
        graph: Neighbours of each point, the point itself first.
        neighbours: How many of them to use.

    Returns:
        float32 (N, N), symmetric.
    """
    rows = len(graph.indices)
    indices = graph.indices[:, :neighbours]
    distances = graph.distances[:, :neighbours].astype(np.float64)
    nearest = np.where(distances > 0, distances, np.inf).min(axis=1)
    nearest[np.isinf(nearest)] = 0
    gaps = np.maximum(distances - nearest[:, None], 0)
    least = np.where(nearest > 0, distances.mean(axis=1), distances.mean()) * _SMALLEST_SCALE
    scales = np.maximum(_scales(gaps[:, 1:], target=float(np.log2(neighbours))), least)
    strengths = np.exp(-gaps / np.where(scales > 0, scales, 1)[:, None])
    strengths[indices == np.arange(rows)[:, None]] = 0
    starts = np.repeat(np.arange(rows), neighbours)
    directed = csr_matrix((strengths.ravel(), (starts, indices.ravel())), shape=(rows, rows))
    directed.eliminate_zeros()
    product = directed.multiply(directed.T)
    return csr_matrix((directed + directed.T - product).astype(np.float32))


def _scales(gaps: Float64Array, *, target: float) -> Float64Array:
    """Scale of each row of ``gaps`` (N, K) at which sum(exp(-gap / scale)) is ``target``, by bisection."""
    low, high, middle = np.zeros(len(gaps)), np.full(len(gaps), np.inf), np.ones(len(gaps))
    open_rows = np.arange(len(gaps))
    for _ in range(_STEPS):
        sums = np.exp(-gaps[open_rows] / middle[open_rows, None]).sum(axis=1)
        missed = np.abs(sums - target) >= _TOLERANCE
        open_rows, sums = open_rows[missed], sums[missed]
        if not len(open_rows):
            break
        above = sums > target
        high[open_rows[above]] = middle[open_rows[above]]
        low[open_rows[~above]] = middle[open_rows[~above]]
        halved = (low[open_rows] + high[open_rows]) / 2
        middle[open_rows] = np.where(np.isinf(high[open_rows]), 2 * middle[open_rows], halved)
    return middle
