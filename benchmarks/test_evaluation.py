"""The grid of classifiers, the clustering sweep, neighbours and the similarity task, beside their peers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors
from torch import nn

from benchmarks.beside import beside
from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.classifier.batched_mlp import ClassifierGrid, Scaling
from morphobench.evaluation.classifier.grid import GridPoint, grid_points
from morphobench.evaluation.clustering.knn_graph import nearest_neighbours
from morphobench.evaluation.clustering.umap import umap_layouts
from morphobench.measure import interleaved
from morphobench.options import EvaluationOptions
from morphobench.setups import Sweep

FEATURES = 2048
Case = tuple[NDArray[np.float32], NDArray[np.int64], list[GridPoint], int, int]


def _embeddings(rows):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, rows)
    embeddings = generator.normal(size=(rows, FEATURES)).astype(np.float32)
    embeddings[:, :20] += labels[:, None]
    return embeddings, labels.astype(np.int64)


def _batches(rows, epochs, batch_size):
    """The rows of every batch, in the order that the grid draws."""
    order = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        shuffled = torch.randperm(rows, generator=order)
        yield from (shuffled[start : start + batch_size] for start in range(0, rows, batch_size))


def _one_after_another(case: Case):
    """The same batches for each point, in plain torch."""
    embeddings, labels, points, epochs, batch_size = case
    images, wanted = torch.from_numpy(embeddings), torch.from_numpy(labels)
    trained = []
    for point in points:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(FEATURES, 256), nn.LeakyReLU(0.01), nn.Linear(256, 2))
        optimizer = torch.optim.SGD(
            network.parameters(), point.learning_rate, point.momentum, weight_decay=point.weight_decay
        )
        for rows in _batches(len(labels), epochs, batch_size):
            loss = nn.functional.cross_entropy(network(images[rows]), wanted[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        trained.append(network)
    return trained


def _at_once(case: Case):
    embeddings, labels, points, epochs, batch_size = case
    grid = ClassifierGrid(FEATURES, size=len(points))
    everything, scaling = np.arange(len(labels)), Scaling.none(FEATURES)
    grid.fit(
        embeddings, labels, everything, points, scaling=scaling, epochs=epochs, batch_size=batch_size, seed=0
    )
    return grid


def _products(case: Case):
    """Nothing but the products that the first layers need: forward, and gradient by the weights."""
    embeddings, labels, points, epochs, batch_size = case
    weights, gradient = torch.zeros(2, 256 * len(points), FEATURES)
    batch = torch.from_numpy(embeddings[:batch_size])
    hidden = torch.empty(len(weights), len(batch))

    def multiply():
        for _ in range(epochs * (len(labels) // batch_size)):
            torch.mm(weights, batch.T, out=hidden)
            torch.mm(hidden, batch, out=gradient)

    return multiply


@pytest.mark.benchmark(group="classifier grid")
@pytest.mark.parametrize(
    ("rows", "epochs", "batch_size", "step"),
    [(2048, 1, 1024, 1), (1024, 5, 1024, 3), (1024, 2, 1024, 3)],
    ids=["protocol", "fewer images than features", "and few epochs"],
)
def test_the_grid_at_once(benchmark, rows, epochs, batch_size, step):
    """27 points (9 of them in the small cases), batches of the protocol's 1,024, 2,048 features.

    The share of the matrix-product rate: how long the first layers' products alone take, in one piece of all
    points, over how long training takes. Of each layer's three products the gradient by its input is not
    needed, which leaves two thirds of the arithmetic.
    """
    rows = rows if benchmark.enabled else 300
    points = grid_points(Sweep())[::step][:: 1 if benchmark.enabled else 9]
    case = (*_embeddings(rows), points, epochs, min(batch_size, rows))
    grid = benchmark.pedantic(_at_once, args=(case,), rounds=1, warmup_rounds=1 if benchmark.enabled else 0)
    found = grid.probabilities(case[0], np.arange(rows), scaling=Scaling.none(FEATURES))
    images, one_by_one = torch.from_numpy(case[0]), _one_after_another(case)
    with torch.no_grad():
        expected = [torch.softmax(one(images), 1)[:, 1] for one in one_by_one]
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-4)
    if not benchmark.enabled:
        return
    rivals = {
        "ours": lambda: _at_once(case),
        "peer": lambda: _one_after_another(case),
        "products": _products(case),
    }
    times = interleaved(rivals, rounds=3, warmup=0, budget_s=3)
    work = 4 * rows * epochs * 256 * len(points) * FEATURES
    benchmark.extra_info.update(
        **beside(times, ours="ours", peer="peer", peer_name="torch, one after another"),
        share_of_matrix_product_rate=round(times.ratio("products", to="ours"), 3),
        matrix_product_gflop_per_s=round(work / times.median_ns("products"), 1),
        points=len(points),
        rows=rows,
        epochs=epochs,
        batch_size=case[4],
    )


@pytest.mark.benchmark(group="clustering sweep")
def test_the_sweep_with_one_graph(benchmark):
    """Layouts of three sizes; UMAP, which takes 13 s to compile, is timed by ``nox -s evaluation_speed``."""
    embeddings, labels = _embeddings(400)
    embeddings += labels[:, None]
    sizes = (10, 20, 40)

    def ours():
        graph = nearest_neighbours(embeddings, neighbours=max(sizes))
        return umap_layouts(embeddings, graph, neighbours=sizes, seed=0)

    found = benchmark.pedantic(ours, rounds=5 if benchmark.enabled else 1, warmup_rounds=1)
    for points, again in zip(found, ours(), strict=True):
        assert points.shape == (400, 2)
        np.testing.assert_array_equal(points, again)
        near = NearestNeighbors(n_neighbors=5).fit(points).kneighbors(return_distance=False)
        assert np.mean(labels[near] == labels[:, None]) > 0.99
    benchmark.extra_info.update(sizes=list(sizes))


@pytest.mark.benchmark(group="neighbours")
def test_nearest_neighbours(benchmark):
    """The 30 nearest of each image, exact, beside scikit-learn's brute force."""
    embeddings, _ = _embeddings(1500 if benchmark.enabled else 100)

    def ours():
        return nearest_neighbours(embeddings, neighbours=30)

    def peer():
        nearest = NearestNeighbors(n_neighbors=30, algorithm="brute", n_jobs=-1).fit(embeddings)
        return nearest.kneighbors(embeddings, return_distance=False)

    found = benchmark.pedantic(ours, rounds=2, warmup_rounds=1)
    shared = [len({*a} & {*b}) for a, b in zip(found.indices, peer(), strict=True)]
    assert np.mean(shared) > 29.9  # rounding may swap the last ones
    if benchmark.enabled:
        times = interleaved({"ours": ours, "peer": peer}, rounds=7, budget_s=8)
        name = "scikit-learn NearestNeighbors, brute force"
        benchmark.extra_info.update(beside(times, ours="ours", peer="peer", peer_name=name))


@pytest.mark.benchmark(group="tasks")
def test_the_similarity_task(benchmark):
    """Similarity of two compounds to each other and to controls, beside medians of scipy's matrices."""
    rows = 900 if benchmark.enabled else 90
    embeddings, _ = _embeddings(rows)
    compounds = np.array(["DMSO", "one", "two"])[np.arange(rows) % 3]
    metadata = pd.DataFrame(
        {
            "Metadata_Compound": compounds,
            "Metadata_CellLine": "line",
            "Metadata_ControlType": np.where(compounds == "DMSO", "negcon", "trt"),
            "Metadata_Plate": [f"P{number}" for number in np.arange(rows) // 30],
            "Metadata_Split": "test",
        }
    )
    inputs = EvaluationInput(embeddings, metadata, EvaluationOptions(pairs=(("one", "two"),)))

    def ours():
        return evaluate(inputs, tasks=["similarity"])["similarity"].metrics["similarity.d"]

    def peer():
        parts = [embeddings[compounds == name].astype(np.float64) for name in ("one", "two", "DMSO")]
        pair, *control = (np.median(cdist(parts[a], parts[b])) for a, b in ((0, 1), (0, 2), (1, 2)))
        return 1 - pair / np.mean(control)

    found = benchmark.pedantic(ours, rounds=2, warmup_rounds=1)
    assert found == pytest.approx(peer(), rel=1e-3, abs=1e-4)
    if benchmark.enabled:
        times = interleaved({"ours": ours, "peer": peer}, rounds=7, budget_s=4)
        name = "scipy cdist, without intervals"
        benchmark.extra_info.update(beside(times, ours="ours", peer="peer", peer_name=name))
