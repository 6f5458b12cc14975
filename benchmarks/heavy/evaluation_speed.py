"""The protocol's whole clustering sweep beside a UMAP fit for each ``min_cluster_size``, at the study's size.

1,500 embeddings of 2,048 features, 15 sizes: ours finds one neighbour graph for all; the peer fits umap-learn
for each, unseeded so that it may use both threads. What numba compiles is compiled before.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from sklearn.manifold import trustworthiness

from morphobench._util.cpu import available_cores
from morphobench.evaluation.clustering.knn_graph import nearest_neighbours
from morphobench.evaluation.clustering.umap import umap_layouts
from morphobench.setups import Sweep

ROWS, FEATURES, CLUSTERS = 1500, 2048, 12
THREADS = available_cores()
Points = list[NDArray[np.float32]]


def embeddings() -> NDArray[np.float32]:
    """Overlapping groups, as compounds are, (ROWS, FEATURES)."""
    generator = np.random.default_rng(0)
    centers = generator.normal(0, 0.6, (CLUSTERS, FEATURES))
    rows = centers[np.arange(ROWS) % CLUSTERS] + generator.normal(size=(ROWS, FEATURES))
    return rows.astype(np.float32)


@pytest.mark.benchmark(group="clustering sweep")
def test_the_whole_sweep_beside_a_fit_for_each(benchmark: BenchmarkFixture) -> None:
    """About 90 seconds: ours, all fits of the peer, ours again; ours counts by its mean."""
    rows, sizes = embeddings(), Sweep().min_cluster_sizes

    def ours() -> Points:
        graph = nearest_neighbours(rows, neighbours=max(sizes))
        return umap_layouts(rows, graph, neighbours=sizes, seed=0, threads=THREADS)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap

        umap.UMAP(n_neighbors=10).fit_transform(rows[:300])

        started = time.perf_counter()
        found = benchmark.pedantic(ours, rounds=1, warmup_rounds=0)
        between = time.perf_counter()
        theirs = [umap.UMAP(n_neighbors=size).fit_transform(rows) for size in sizes]
        after = time.perf_counter()
    again = ours()
    ours_s = (between - started + time.perf_counter() - after) / 2
    assert all((one == other).all() for one, other in zip(found, again, strict=True))
    kept = [
        [trustworthiness(rows[:500], points[:500], n_neighbors=10) for points in layouts[::7]]
        for layouts in (found, theirs)
    ]
    assert np.min(np.subtract(kept[0], kept[1])) > -0.05  # as good a layout of neighbourhoods as the peer's
    benchmark.extra_info.update(
        peer="umap-learn, a fit for each",
        times_faster_than_peer=round((after - between) / ours_s, 2),
        ours_seconds=round(ours_s, 2),
        peer_seconds=round(after - between, 2),
        sizes=list(sizes),
        rows=ROWS,
        features=FEATURES,
        threads=THREADS,
    )
