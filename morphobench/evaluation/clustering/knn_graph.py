"""The exact nearest neighbours of embeddings, and the fuzzy graph that UMAP makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from morphobench.types import Float32Array, Float64Array, Int64Array

_STEPS = 64
_TOLERANCE = 1e-5
_SMALLEST_SCALE = 1e-3


@dataclass(frozen=True)
class NeighbourGraph:
    """The nearest neighbours of every point, itself first: ``indices`` int64, ``distances`` float32, (N,
    K).
    """

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
    indices = np.ascontiguousarray(found, dtype=np.int64)
    own = np.arange(rows)[:, None]
    absent = ~(indices == own).any(axis=1)  # more copies of the point than neighbours asked for
    indices[absent, -1] = np.flatnonzero(absent)
    squares = np.empty(indices.shape, dtype=np.float32)
    pointers = (faiss.swig_ptr(array) for array in (squares, centered, centered, indices))
    faiss.fvec_L2sqr_by_idx(*pointers, features, rows, neighbours)  # type: ignore[attr-defined]
    order = np.lexsort((indices, squares, indices != own), axis=1)
    indices = np.take_along_axis(indices, order, axis=1)
    distances = np.sqrt(np.take_along_axis(squares, order, axis=1))
    return NeighbourGraph(indices, distances)


def fuzzy_graph(graph: NeighbourGraph, *, neighbours: int) -> csr_matrix:
    """UMAP's edge strengths (N, N) from the first ``neighbours`` of each point in ``graph``.

    A point's neighbours get exp(-(distance - nearest) / scale), their strengths adding up to
    log2(neighbours); an edge's two directions are joined by a + b - ab (section 3.1 of arXiv:1802.03426).
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
    """For each row of ``gaps`` (N, K) the scale at which sum(exp(-gap / scale)) is ``target``, by
    bisection.
    """
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
