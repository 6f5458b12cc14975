"""Nearest neighbours against a plain search over scipy's distances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from morphobench.errors import InputError
from morphobench.evaluation import distances
from morphobench.evaluation.neighbours import TARGET_RECALL, NeighbourIndex
from morphobench.types import Float32Array


def rows(count: int, features: int = 12, seed: int = 0) -> Float32Array:
    return np.random.default_rng(seed).standard_normal((count, features)).astype(np.float32)


@pytest.mark.parametrize("metric", distances.METRICS)
def test_nearest_is_a_sort_of_all_distances(metric: str) -> None:
    queries, others = rows(30), rows(200, seed=1)
    if metric == "braycurtis":
        queries, others = np.abs(queries), np.abs(others)
    every = cdist(queries.astype(np.float64), others.astype(np.float64), metric)  # type: ignore[call-overload]
    indices, found = distances.nearest(queries, others, 7, metric)
    np.testing.assert_array_equal(indices, np.argsort(every, axis=1)[:, :7])
    np.testing.assert_allclose(found, np.sort(every, axis=1)[:, :7], rtol=1e-5)


@pytest.mark.parametrize("metric", distances.METRICS)
def test_faiss_computes_the_same_distances(metric: str) -> None:
    a, b = np.abs(rows(20)), np.abs(rows(30, seed=1))
    ours, theirs = (distances.pairwise(a, b, metric, backend=name) for name in ("morphobench", "faiss"))
    np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-6)


def test_zero_rows_are_undefined_with_faiss_too() -> None:
    a = np.concatenate([np.zeros((1, 4), np.float32), rows(2, 4)])
    for metric in ("cosine", "correlation"):
        np.testing.assert_array_equal(
            np.isnan(distances.pairwise(a, a, metric, backend="faiss")),
            np.isnan(distances.pairwise(a, a, metric)),
        )


def test_duplicates_and_zero_rows_come_in_the_order_of_rows() -> None:
    base = rows(5)
    others = np.concatenate([base, base, base])
    indices, found = distances.nearest(base, others, 3)
    np.testing.assert_array_equal(indices, np.arange(5)[:, None] + [0, 5, 10])
    assert (found == 0).all()
    others[2] = 0
    indices, found = distances.nearest(np.zeros((1, 12), np.float32), others, 4, "cosine")
    assert indices.tolist() == [[0, 1, 2, 3]]
    assert (found == 1).all()


def test_fewer_rows_than_neighbours() -> None:
    indices, found = distances.nearest(rows(2), rows(3), 5)
    assert (indices[:, 3:] == -1).all()
    assert np.isinf(found[:, 3:]).all()
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        distances.nearest(rows(2), rows(3), 0)
    with pytest.raises(InputError, match="b must hold finite"):
        distances.nearest(rows(2), np.full((3, 12), np.nan), 1)


def test_an_inverted_file_has_the_recall_it_states() -> None:
    centers = np.random.default_rng(0).integers(0, 20, 3000)
    base = rows(3000) + 4 * rows(20, seed=2)[centers]
    index = NeighbourIndex(base, exact_rows=1000)
    found = index.search(base, 10)
    exact = NeighbourIndex(base).search(base, 10)
    assert (exact.index, exact.recall, found.index) == ("exact", 1.0, "inverted file")
    hits = np.mean([len(np.intersect1d(x, y)) for x, y in zip(found.indices, exact.indices, strict=True)])
    assert found.recall >= TARGET_RECALL
    assert hits / 10 == pytest.approx(found.recall, abs=0.01)
