"""All four distances of all pairs and their exact medians, beside scipy, scikit-learn and faiss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances

from benchmarks.beside import beside, relative
from morphobench.evaluation import distances
from morphobench.measure.timing import interleaved

ROWS, FEATURES, THREADS = 1000, 2048, 2
# Far below what a quiet machine shows, so that a busy one passes; the figures are in extra_info.
LEAST_OVER_SCIPY, LEAST_OVER_SKLEARN = 12, 4

Matrix = NDArray[np.float32]
Medians = dict[str, float]


def embeddings(rows: int) -> tuple[Matrix, Matrix]:
    """Two sets with a common direction and uneven lengths, as embeddings of cells have, (rows, FEATURES)."""
    rng = np.random.default_rng(0)
    common = rng.normal(0, 1, FEATURES)
    rows_of_both = common + rng.normal(0, 1, (2, rows, FEATURES))
    return tuple((rows_of_both * rng.uniform(0.5, 1.5, (2, rows, 1))).astype(np.float32))


def faiss_matrices(a: Matrix, b: Matrix) -> Callable[[str], NDArray[np.float64]]:
    """Distances by faiss: from its squared euclidean, its inner products of unit rows, its Bray-Curtis."""
    import faiss

    def unit(rows: Matrix) -> Matrix:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def inner(x: Matrix, y: Matrix) -> Matrix:
        return 1 - faiss.pairwise_distances(unit(x), unit(y), metric=faiss.METRIC_INNER_PRODUCT)

    makers = {
        "euclidean": lambda: np.sqrt(np.maximum(faiss.pairwise_distances(a, b), 0)),
        "cosine": lambda: inner(a, b),
        "correlation": lambda: inner(*(rows - rows.mean(axis=1, keepdims=True) for rows in (a, b))),
        "braycurtis": lambda: faiss.pairwise_distances(a, b, metric=faiss.METRIC_BrayCurtis),
    }
    return lambda metric: makers[metric]()


def medians_of(matrix_of: Callable[[Any], NDArray[np.float64]]) -> Medians:
    return {metric: float(np.median(matrix_of(metric))) for metric in distances.METRICS}


def test_four_metrics_and_their_medians(benchmark: BenchmarkFixture) -> None:
    """1,000 x 1,000 pairs of 2,048 features (fewer rows where nothing is timed)."""
    timed = benchmark.enabled
    a, b = embeddings(ROWS if timed else 150)

    def ours() -> Medians:
        return distances.median_distances(a, b, threads=THREADS)

    def scipy() -> Medians:
        return medians_of(lambda metric: cdist(a, b, metric))

    def sklearn() -> Medians:
        return medians_of(lambda metric: pairwise_distances(a, b, metric=metric, n_jobs=THREADS))

    def faiss() -> Medians:
        return medians_of(faiss_matrices(a, b))

    answer = benchmark.pedantic(ours, rounds=10, warmup_rounds=2)
    rivals = {"scipy": scipy, "ours": ours, "sklearn": sklearn, "faiss": faiss}
    given: dict[str, Medians] = {}

    def keeping(name: str) -> Callable[[], None]:
        return lambda: given.update({name: rivals[name]()})

    rounds, warmup = (6, 1) if timed else (1, 0)  # ours was warm before: the peers must be too
    times = interleaved({name: keeping(name) for name in rivals}, rounds=rounds, warmup=warmup, budget_s=10)
    for name, accuracy in (("scipy", 1e-5), ("sklearn", 1e-5), ("faiss", 1e-4)):
        assert given[name] == pytest.approx(answer, rel=accuracy)
    if not timed:
        return
    over_scipy, over_sklearn = times.ratio("scipy", to="ours"), times.ratio("sklearn", to="ours")
    benchmark.extra_info.update(
        pairs_per_second=round(a.shape[0] * b.shape[0] / times.median_ns("ours") * 1e9),
        scipy_seconds=round(times.median_ns("scipy") * 1e-9, 3),
        sklearn_seconds=round(times.median_ns("sklearn") * 1e-9, 3),
        times_faster_than_scipy=round(over_scipy, 1),
        times_faster_than_sklearn=round(over_sklearn, 1),
        times_faster_than_faiss=round(times.ratio("faiss", to="ours"), 1),
        threads=THREADS,
        features=FEATURES,
        **relative(times, ours="ours", peer="scipy"),
    )
    assert over_scipy >= LEAST_OVER_SCIPY
    assert over_sklearn >= LEAST_OVER_SKLEARN


@pytest.mark.parametrize("metric", distances.METRICS)
def test_one_matrix(benchmark: BenchmarkFixture, metric: Any) -> None:
    """One metric as a matrix, with the float64 matrix of scipy as its answer."""
    a, b = embeddings(ROWS if benchmark.enabled else 150)
    matrix = benchmark.pedantic(
        distances.pairwise, (a, b, metric), {"threads": THREADS}, rounds=5, warmup_rounds=1
    )
    expected = cdist(a[:100], b[:100], metric)
    np.testing.assert_allclose(matrix[:100, :100], expected, rtol=1e-5)
    benchmark.extra_info.update(threads=THREADS, features=FEATURES)
    if benchmark.enabled:
        other = faiss_matrices(a, b)
        rivals = {
            "ours": lambda: distances.pairwise(a, b, metric, threads=THREADS),
            "faiss": lambda: other(metric),
        }
        times = interleaved(rivals, rounds=7, budget_s=2)
        benchmark.extra_info.update(beside(times, ours="ours", peer="faiss", peer_name="faiss"))
