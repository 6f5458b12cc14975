"""Exact medians in passes against numpy's median of the whole matrix, with tight bounds on memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from morphobench import _core
from morphobench.evaluation import distances
from morphobench.measure import run_isolated


def random_rows(rows: int, features: int, *, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, features), dtype=np.float32)


def search_median(
    values: NDArray[np.float32], *, capacity: int, bracket: tuple[float, float] | None
) -> float:
    """A matrix of one feature whose euclidean distances to zero are the values."""
    search = _core.MedianSearch(values.size, capacity)
    if bracket is not None:
        search.bracket(*bracket)
    pairs = _core.CrossDistances(values.reshape(-1, 1), np.zeros((1, 1), np.float32), True, 1)
    product = pairs.standardized_a @ pairs.standardized_b.T
    finished = False
    while not finished:
        assert search.passes < 6
        pairs.search((0, values.size, 0, 1), product, {"euclidean": search})
        finished = search.finish_pass()
    return search.median


VALUES = st.floats(min_value=0, max_value=2.0**100, width=32)


@settings(deadline=None, max_examples=200)
@given(
    values=st.lists(st.one_of(VALUES, st.sampled_from([0.0, 1.0, 2.0])), min_size=1, max_size=40),
    capacity=st.sampled_from([1, 2, 5, 1000]),
    bracket=st.one_of(st.none(), st.tuples(VALUES, VALUES)),
)
def test_the_search_finds_numpy_s_median(
    values: list[float], capacity: int, bracket: tuple[float, float] | None
) -> None:
    array = np.array(values, dtype=np.float32)
    expected = np.median(array.astype(np.float64))
    assert search_median(array, capacity=capacity, bracket=bracket) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 3), (40, 50), (301, 299), (700, 600)])
def test_medians_are_exactly_those_of_the_matrix(shape: tuple[int, int]) -> None:
    a, b = random_rows(shape[0], 12), random_rows(shape[1], 12, seed=1)
    medians = distances.median_distances(a, b)
    assert tuple(medians) == distances.METRICS
    for metric in distances.METRICS:
        assert medians[metric] == np.median(distances.pairwise(a, b, metric).astype(np.float64))


def test_ties_and_clusters() -> None:
    a = np.repeat(random_rows(3, 10), 150, axis=0)
    for metric, median in distances.median_distances(a, a).items():
        assert median == np.median(distances.pairwise(a, a, metric).astype(np.float64))


@pytest.mark.parametrize("kept_values", [1, 50, 5000])
def test_tight_bounds_cost_passes_but_change_nothing(kept_values: int) -> None:
    a, b = random_rows(90, 30), random_rows(110, 30, seed=1)
    expected = distances.median_distances(a, b)
    bounded = distances.median_distances(a, b, distances.METRICS, block_values=700, kept_values=kept_values)
    assert bounded == pytest.approx(expected, rel=1e-6)


def test_threads_do_not_change_the_medians() -> None:
    a, b = random_rows(400, 20), random_rows(390, 20, seed=1)
    expected = distances.median_distances(a, b, threads=1)
    for threads in (2, 5):
        assert distances.median_distances(a, b, threads=threads) == expected


def test_an_undefined_distance_makes_the_median_undefined() -> None:
    a = random_rows(300, 6)
    a[7] = 0
    medians = distances.median_distances(a, a)
    assert np.isnan([medians["cosine"], medians["correlation"], medians["braycurtis"]]).all()
    assert medians["euclidean"] > 0


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 40), features=st.integers(3, 40))
def test_order_and_sides_do_not_matter(seed: int, rows: int, features: int) -> None:
    a, b = random_rows(rows, features, seed=seed), random_rows(17, features, seed=seed + 1)
    expected = distances.median_distances(a, b)
    shuffled = np.random.default_rng(seed).permutation(rows)
    assert distances.median_distances(a[shuffled], b) == pytest.approx(expected, rel=1e-5)
    assert distances.median_distances(b, a) == pytest.approx(expected, rel=1e-5)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), exponent=st.integers(-40, 40))
def test_scale_free_metrics_ignore_scale(seed: int, exponent: int) -> None:
    a, b = random_rows(20, 30, seed=seed), random_rows(21, 30, seed=seed + 1)
    scale = np.float32(2.0**exponent)
    expected, scaled = distances.median_distances(a, b), distances.median_distances(a * scale, b * scale)
    assert scaled.pop("euclidean") == pytest.approx(expected.pop("euclidean") * float(scale), rel=1e-5)
    assert scaled == pytest.approx(expected, rel=1e-5)


def test_duplicated_groups_leave_the_medians() -> None:
    a, b = random_rows(31, 25), random_rows(33, 25, seed=1)
    doubled = distances.median_distances(np.tile(a, (3, 1)), np.tile(b, (3, 1)))
    assert doubled == pytest.approx(distances.median_distances(a, b), rel=1e-6)


def test_the_matrix_is_never_held() -> None:
    """Nothing that numpy allocates comes near the 36 MB of the 3,000 x 3,000 matrix."""
    a = random_rows(3000, 4)
    tracemalloc.start()
    try:
        distances.median_distances(a, a, ("euclidean",), block_values=1 << 16, kept_values=1 << 16)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 * (1 << 16) + 500_000


@pytest.mark.slow
def test_twenty_thousand_rows_within_a_gigabyte() -> None:
    rows = 20_000
    kwargs = {"rows": rows, "features": 64}
    above_bytes, _, counts = run_isolated("tests.support.distance_targets:big_medians", kwargs).value
    assert above_bytes < 1e9
    for below, up_to in counts.values():
        assert below <= rows * rows // 2 <= up_to


@pytest.mark.slow
def test_so_do_embeddings_of_2048_features() -> None:
    """All four metrics; their float32 copies and products are within the gigabyte; a matrix is 1.6."""
    kwargs = {"rows": 20_000, "features": 2048, "check": False}
    above_bytes, medians, _ = run_isolated("tests.support.distance_targets:big_medians", kwargs).value
    assert above_bytes < 1e9
    # Two independent standard normal vectors: sqrt(2 D), cosine and correlation about 0.
    assert medians["euclidean"] == pytest.approx((2 * 2048) ** 0.5, rel=0.01)
    assert medians["cosine"] == pytest.approx(1, abs=0.01)
    assert medians["correlation"] == pytest.approx(1, abs=0.01)
    assert medians["braycurtis"] == pytest.approx(1, abs=0.01)
