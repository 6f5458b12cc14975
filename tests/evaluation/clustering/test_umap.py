"""Neighbours, fuzzy graph and layout against loops in Python, scikit-learn and umap-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from morphobench import _core
from morphobench.evaluation.clustering import umap
from morphobench.evaluation.clustering.knn_graph import fuzzy_graph, nearest_neighbours
from tests.support import evaluation_oracles as oracles


def _blobs(*, rows=120, features=16, groups=3, distance=6.0, seed=0):
    generator = np.random.default_rng(seed)
    group = np.arange(rows) % groups
    centers = generator.normal(size=(groups, features))
    centers *= distance / np.linalg.norm(centers, axis=1, keepdims=True)
    return (centers[group] + generator.normal(size=(rows, features))).astype(np.float32), group


def test_neighbours_are_exact_with_near_and_equal_points():
    generator = np.random.default_rng(0)
    embeddings = (generator.normal(size=(60, 20)) + 100).astype(np.float32)
    embeddings[1] = embeddings[0]
    embeddings[2] = embeddings[0] + 1e-4
    graph = nearest_neighbours(embeddings, neighbours=10)
    reference = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(embeddings.astype(np.float64))
    distances, _ = reference.kneighbors(embeddings.astype(np.float64))
    np.testing.assert_allclose(graph.distances, distances, rtol=1e-5, atol=1e-6)
    assert (graph.indices[:, 0] == np.arange(60)).all()
    assert (graph.distances[:, 0] == 0).all()


def test_a_point_of_many_copies_is_its_own_neighbour():
    graph = nearest_neighbours(np.ones((9, 3), dtype=np.float32), neighbours=4)
    assert (graph.indices[:, 0] == np.arange(9)).all()
    assert (graph.distances == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("neighbours", [5, 12])
def test_the_graph_is_umaps_own(neighbours):
    embeddings, _ = _blobs()
    graph = nearest_neighbours(embeddings, neighbours=12)
    ours = fuzzy_graph(graph, neighbours=neighbours)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap.umap_ import fuzzy_simplicial_set

        distances = pairwise_distances(embeddings)
        theirs, _, _ = fuzzy_simplicial_set(distances, neighbours, None, "precomputed")
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), atol=1e-4)


def test_edge_strengths_by_loops():
    embeddings, _ = _blobs(rows=30)
    embeddings[1] = embeddings[0]
    graph = nearest_neighbours(embeddings, neighbours=8)
    ours = fuzzy_graph(graph, neighbours=6).toarray()
    np.testing.assert_allclose(ours, oracles.fuzzy_graph(graph.indices, graph.distances, 6), atol=1e-4)


def _edges(strengths):
    edges = strengths.tocoo()
    return edges.row.astype(np.int32), edges.col.astype(np.int32), edges.data.astype(np.float32)


def test_descent_by_loops():
    embeddings, _ = _blobs(rows=20, features=4)
    head, tail, strengths = _edges(fuzzy_graph(nearest_neighbours(embeddings, neighbours=5), neighbours=5))
    points = np.random.default_rng(0).uniform(0, 10, (20, 2)).astype(np.float32)
    slow = oracles.descend_layout(points, head, tail, strengths, epochs=3, a=1.5, b=0.9, negatives=5, seed=7)
    _core.umap_sgd(points, head, tail, strengths, epochs=3, a=1.5, b=0.9, negatives_per_edge=5, seed=7)
    np.testing.assert_allclose(points, slow, atol=1e-3)


def test_layouts_do_not_depend_on_threads():
    embeddings, _ = _blobs()
    graph = nearest_neighbours(embeddings, neighbours=20)
    one, four = (
        umap.umap_layouts(embeddings, graph, neighbours=(5, 20, 10), seed=3, threads=threads)
        for threads in (1, 4)
    )
    for first, second, neighbours in zip(one, four, (5, 20, 10), strict=True):
        assert (first == second).all()
        assert (first == umap.umap_points(embeddings, graph, neighbours=neighbours, seed=3)).all()


@pytest.mark.parametrize("distance", [8.0, 500.0])
@pytest.mark.parametrize("rows", [40, 90])
def test_groups_lie_apart(distance, rows):
    """Far groups are not connected by any edge; their parts are placed and laid out apart."""
    embeddings, group = _blobs(rows=rows, distance=distance)
    graph = nearest_neighbours(embeddings, neighbours=9)
    points = umap.umap_points(embeddings, graph, neighbours=9, seed=0)
    neighbours = NearestNeighbors(n_neighbors=4).fit(points).kneighbors(points, return_distance=False)[:, 1:]
    assert np.isfinite(points).all()
    assert (group[neighbours] == group[:, None]).mean() > 0.95


@pytest.mark.parametrize("rows", [2, 3, 4, 7])
def test_few_points_have_a_layout(rows):
    embeddings = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
    graph = nearest_neighbours(embeddings, neighbours=rows)
    assert np.isfinite(umap.umap_points(embeddings, graph, neighbours=rows, seed=0)).all()


@pytest.mark.slow
@pytest.mark.parametrize("neighbours", [10, 30])
def test_layouts_keep_neighbourhoods_as_umap_learn_does(neighbours):
    embeddings, _ = _blobs(rows=300, groups=6, distance=4.0)
    graph = nearest_neighbours(embeddings, neighbours=neighbours)
    ours = [umap.umap_points(embeddings, graph, neighbours=neighbours, seed=seed) for seed in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap

        models = [umap.UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1) for seed in range(3)]
        theirs = [model.fit_transform(embeddings) for model in models]
    kept = [
        np.mean([trustworthiness(embeddings, each, n_neighbors=10) for each in x]) for x in (ours, theirs)
    ]
    assert abs(kept[0] - kept[1]) < 0.01


def test_the_kernel_says_what_it_wants():
    points = np.zeros((3, 2), dtype=np.float32)
    ends, strengths = np.asarray([0, 1], dtype=np.int32), np.ones(2, dtype=np.float32)
    settings: dict[str, Any] = {"epochs": 1, "a": 1.0, "b": 1.0, "negatives_per_edge": 5, "seed": 0}
    with pytest.raises(TypeError, match="points"):
        _core.umap_sgd(points.astype(np.float64), ends, ends, strengths, **settings)
    with pytest.raises(ValueError, match="tail"):
        _core.umap_sgd(points, ends, np.asarray([0, 3], dtype=np.int32), strengths, **settings)
    with pytest.raises(ValueError, match="strengths"):
        _core.umap_sgd(points, ends, ends, -strengths, **settings)
    with pytest.raises(ValueError, match="tail"):
        _core.umap_sgd(points, ends, ends[:1], strengths, **settings)
    with pytest.raises(ValueError, match="epochs"):
        _core.umap_sgd(points, ends, ends, strengths, **{**settings, "negatives_per_edge": 0})
