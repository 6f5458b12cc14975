"""The grid of classifiers beside training one after another, and the clustering sweep beside UMAP fits."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from morphobench.evaluation import classification, layout
from morphobench.evaluation.classifier_grid import ClassifierGrid, Scaling
from morphobench.evaluation.neighbours import nearest_neighbours
from morphobench.measure import interleaved
from morphobench.setups import Sweep

ROWS, FEATURES, EPOCHS = 1024, 2048, 10


def _embeddings(rows):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, rows)
    embeddings = generator.normal(size=(rows, FEATURES)).astype(np.float32)
    embeddings[:, :20] += labels[:, None]
    return embeddings, labels.astype(np.int64)


def _one_after_another(embeddings, labels, points):
    """EPOCHS full batches for each point, in plain torch."""
    trained = []
    for point in points:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(FEATURES, 256), nn.LeakyReLU(0.01), nn.Linear(256, 2))
        optimizer = torch.optim.SGD(
            network.parameters(), point.learning_rate, point.momentum, weight_decay=point.weight_decay
        )
        for _ in range(EPOCHS):
            loss = nn.functional.cross_entropy(
                network(torch.from_numpy(embeddings)), torch.from_numpy(labels)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            trained.append(torch.softmax(network(torch.from_numpy(embeddings)), 1)[:, 1].numpy())
    return np.stack(trained)


def _at_once(embeddings, labels, points):
    grid = ClassifierGrid(FEATURES, size=len(points))
    everything = np.arange(len(labels))
    scaling = Scaling.none(FEATURES)
    grid.fit(
        embeddings, labels, everything, points, scaling=scaling, epochs=EPOCHS, batch_size=len(labels), seed=0
    )
    return grid.probabilities(embeddings, everything, scaling=scaling)


@pytest.mark.benchmark(group="classifier grid")
def test_the_grid_at_once(benchmark):
    embeddings, labels = _embeddings(ROWS)
    points = classification.grid_points(Sweep())[::3]
    found = benchmark.pedantic(_at_once, args=(embeddings, labels, points), rounds=2, warmup_rounds=0)
    np.testing.assert_allclose(found, _one_after_another(embeddings, labels, points), atol=1e-4)
    times = interleaved(
        {
            "ours": lambda: _at_once(embeddings, labels, points),
            "peer": lambda: _one_after_another(embeddings, labels, points),
        },
        rounds=3 if benchmark.enabled else 1,
        warmup=0,
    )
    benchmark.extra_info.update(
        peer="torch, one after another",
        times_faster_than_peer=round(times.ratio("peer", to="ours"), 2),
        points=len(points),
    )


@pytest.mark.benchmark(group="clustering sweep")
def test_the_sweep_with_one_graph(benchmark):
    embeddings, _ = _embeddings(400)
    sizes = (10, 20, 40)

    def ours():
        graph = nearest_neighbours(embeddings, neighbours=max(sizes))
        return layout.umap_layouts(embeddings, graph, neighbours=sizes, seed=0)

    def peer():
        return [umap.UMAP(n_neighbors=size).fit_transform(embeddings) for size in sizes]

    found = benchmark.pedantic(ours, rounds=2, warmup_rounds=1)
    assert all(points.shape == (400, 2) and np.isfinite(points).all() for points in found)
    again = ours()
    assert all((first == second).all() for first, second in zip(found, again, strict=True))
    if not benchmark.enabled:
        return  # umap-learn's compilation is worth its time only where times are taken
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap

        times = interleaved({"ours": ours, "peer": peer}, rounds=3, warmup=1)
    benchmark.extra_info.update(
        peer="umap-learn, a fit for each",
        times_faster_than_peer=round(times.ratio("peer", to="ours"), 2),
        sizes=list(sizes),
    )
