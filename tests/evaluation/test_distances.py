"""Distances against a slow float64 oracle, against the study's own values, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.evaluation import distances
from tests.support.simd import LEVELS, simd

Matrix = NDArray[np.float32]


def oracle(a: Matrix, b: Matrix, metric: str) -> NDArray[np.float64]:
    """The definitions, one pair at a time, in float64."""
    result = np.empty((len(a), len(b)))
    for i, u in enumerate(a.astype(np.float64)):
        for j, v in enumerate(b.astype(np.float64)):
            with np.errstate(invalid="ignore", divide="ignore"):
                if metric == "braycurtis":
                    result[i, j] = np.abs(u - v).sum() / np.abs(u + v).sum()
                    continue
                if metric == "euclidean":
                    result[i, j] = np.sqrt(((u - v) ** 2).sum())
                    continue
                x, y = (u - u.mean(), v - v.mean()) if metric == "correlation" else (u, v)
                # Half the squared difference of unit vectors: 1 - cos without its cancellation.
                difference = x / np.sqrt((x**2).sum()) - y / np.sqrt((y**2).sum())
                result[i, j] = (difference**2).sum() / 2
    return result


def random_rows(rows: int, features: int, *, seed: int = 0, offset: float = 0.3) -> Matrix:
    generator = np.random.default_rng(seed)
    return (generator.standard_normal((rows, features)) + offset).astype(np.float32)


def assert_close(actual: NDArray[np.float32], expected: NDArray[np.float64]) -> None:
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("metric", distances.METRICS)
def test_the_study_s_own_values(golden: Path, metric: str) -> None:
    with np.load(golden / "distances.npz") as stored:
        a, b = stored["a"], stored["b"]
        matrix, median = stored[f"{metric}_matrix"], stored[f"{metric}_median"]
    assert np.abs(distances.pairwise(a, b, metric) - matrix).max() <= 1e-6 * matrix.max()
    assert distances.median_distances(a, b, [metric])[metric] == pytest.approx(float(median), rel=1e-6)


@pytest.mark.parametrize("features", [3, 7, 16, 33, 1023, 1025, 2048, 10_000])
@pytest.mark.parametrize("metric", distances.METRICS)
def test_any_number_of_features(metric: str, features: int) -> None:
    a, b = random_rows(9, features), random_rows(5, features, seed=1)
    assert_close(distances.pairwise(a, b, metric), oracle(a, b, metric))


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (49, 3), (97, 101)])
@pytest.mark.parametrize("metric", distances.METRICS)
def test_any_number_of_rows(metric: str, shape: tuple[int, int]) -> None:
    a, b = random_rows(shape[0], 20), random_rows(shape[1], 20, seed=1)
    assert_close(distances.pairwise(a, b, metric), oracle(a, b, metric))


def test_two_features_leave_a_correlation_of_plus_or_minus_one() -> None:
    a = random_rows(9, 2)
    rising = a[:, 0] < a[:, 1]
    expected = np.where(rising[:, None] == rising, 0.0, 2.0)
    np.testing.assert_allclose(distances.pairwise(a, a, "correlation"), expected, rtol=1e-6, atol=1e-30)


def test_one_feature() -> None:
    a = np.array([[1.0], [-2.0], [4.0]], dtype=np.float32)
    assert_close(distances.pairwise(a, a, "euclidean"), oracle(a, a, "euclidean"))
    assert_close(distances.pairwise(a, a, "braycurtis"), oracle(a, a, "braycurtis"))
    assert_close(distances.pairwise(a, a, "cosine"), np.array([[0.0, 2, 0], [2, 0, 2], [0, 2, 0]]))
    assert np.isnan(distances.pairwise(a, a, "correlation")).all()


@pytest.mark.parametrize("metric", distances.METRICS)
@pytest.mark.parametrize("level", LEVELS)
def test_every_simd_level(metric: str, level: str) -> None:
    a, b = random_rows(50, 77), random_rows(53, 77, seed=1)
    b[:5] = a[:5] * np.float32(1 + 1e-4)
    with simd(level):
        actual = distances.pairwise(a, b, metric)
    np.testing.assert_allclose(actual, oracle(a, b, metric), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("metric", distances.METRICS)
@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e30])
def test_scale(metric: str, scale: float) -> None:
    a = random_rows(20, 300) * np.float32(scale)
    b = random_rows(21, 300, seed=1) * np.float32(scale)
    b[3] = a[4]
    assert_close(distances.pairwise(a, b, metric), oracle(a, b, metric))


@pytest.mark.parametrize("metric", distances.METRICS)
def test_rows_of_different_scales_together(metric: str) -> None:
    a = random_rows(12, 40) * np.float32(10) ** np.linspace(-30, 30, 12, dtype=np.float32)[:, None]
    b = random_rows(12, 40, seed=1) * np.float32(10) ** np.linspace(-30, 30, 12, dtype=np.float32)[:, None]
    assert_close(distances.pairwise(a, b, metric), oracle(a, b, metric))


@pytest.mark.parametrize("metric", distances.METRICS)
def test_duplicates_are_exactly_zero_apart(metric: str) -> None:
    a = random_rows(60, 500, offset=20)
    actual = distances.pairwise(a, a[::-1].copy(), metric)
    assert (np.diag(actual[:, ::-1]) == 0).all()
    assert (actual[~np.eye(60, dtype=bool)[:, ::-1]] > 0).all()


@pytest.mark.parametrize("metric", distances.METRICS)
@pytest.mark.parametrize("noise", [1e-1, 1e-2, 1e-3, 1e-5, 2e-7])
def test_near_duplicates(metric: str, noise: float) -> None:
    a = random_rows(30, 400)
    b = a * (1 + np.float32(noise) * random_rows(30, 400, seed=2, offset=0))
    assert_close(distances.pairwise(a, b, metric), oracle(a, b, metric))


@pytest.mark.parametrize("metric", distances.METRICS)
def test_nearly_parallel_rows(metric: str) -> None:
    """Brightness alone tells such rows apart: euclidean distance is large, cosine distance tiny."""
    a = random_rows(1, 400, offset=1) * np.linspace(1, 9, 30, dtype=np.float32)[:, None]
    b = a[::-1] + random_rows(30, 400, seed=3, offset=0) * np.float32(1e-3)
    assert_close(distances.pairwise(a, b, metric), oracle(a, b, metric))


def test_zero_and_constant_rows_are_as_scipy_defines_them() -> None:
    cdist = pytest.importorskip("scipy.spatial.distance").cdist
    rows = np.array([[0, 0, 0], [2, 2, 2], [1, 2, 3], [-1, -2, -3], [1, 5, 3]], dtype=np.float32)
    for metric in distances.METRICS:
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = cdist(rows.astype(float), rows.astype(float), metric)
        np.testing.assert_allclose(distances.pairwise(rows, rows, metric), expected, rtol=1e-5, atol=1e-15)


@pytest.mark.parametrize("metric", distances.METRICS)
def test_threads_do_not_change_a_bit(metric: str) -> None:
    a, b = random_rows(201, 130), random_rows(149, 130, seed=1)
    expected = distances.pairwise(a, b, metric, threads=1)
    for threads in (2, 4, 7):
        assert np.array_equal(distances.pairwise(a, b, metric, threads=threads), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("metric", distances.METRICS)
def test_values_that_are_not_finite_are_refused_by_row(metric: str, bad: float) -> None:
    a, b = random_rows(40, 9), random_rows(30, 9)
    b[17, 3] = b[23, 1] = bad
    with pytest.raises(InputError, match=r"b must hold finite .* in row 17$"):
        distances.pairwise(a, b, metric)
    with pytest.raises(InputError, match=r"a must hold finite .* in row 17$"):
        distances.median_distances(b, a, [metric])


def test_float64_beyond_float32_is_refused_by_row() -> None:
    a = np.ones((3, 2))
    a[2, 1] = 1e300
    with pytest.raises(InputError, match="row 2"):
        distances.pairwise(a, a, "euclidean")


def test_wrong_arguments_are_refused() -> None:
    a = random_rows(4, 3)
    with pytest.raises(InputError, match=r"metric must be one of euclidean.*'manhattan'"):
        distances.pairwise(a, a, "manhattan")
    with pytest.raises(InputError, match="at least one of euclidean"):
        distances.median_distances(a, a, [])
    for empty in (a[:0], a[:, :0]):
        with pytest.raises(InputError, match=r"a must have at least one row and one feature"):
            distances.pairwise(empty, a, "cosine")
    with pytest.raises(InputError, match=r"b must have at least one row .* got shape \(3,\)"):
        distances.pairwise(a, a[0], "cosine")
    with pytest.raises(InputError, match="got 3 and 2"):
        distances.median_distances(a, a[:, :2])
    with pytest.raises(TypeError, match="a must hold real numbers, got dtype complex64"):
        distances.pairwise(a.astype(np.complex64), a, "cosine")
    with pytest.raises(InputError, match="threads must be at least 1, got 0"):
        distances.pairwise(a, a, "cosine", threads=0)


def test_other_dtypes_and_strides_are_taken() -> None:
    a = random_rows(6, 8)
    expected = distances.pairwise(a, a, "euclidean")
    assert np.array_equal(distances.pairwise(a.astype(np.float64), a, "euclidean"), expected)
    assert np.array_equal(distances.pairwise(np.asfortranarray(a), a, "euclidean"), expected)
    whole = np.arange(12).reshape(4, 3)
    assert distances.pairwise(whole, whole, "euclidean")[0, 1] == pytest.approx(27**0.5)


@pytest.mark.parametrize("metric", distances.METRICS)
@pytest.mark.parametrize("block_values", [1, 100, 10_000])
def test_blocks_make_up_the_matrix(metric: str, block_values: int) -> None:
    a, b = random_rows(31, 12), random_rows(40, 12, seed=1)
    blocks = {
        top: block.copy() for top, block in distances.pairwise_blocks(a, b, metric, block_values=block_values)
    }
    assert max(block.size for block in blocks.values()) <= max(block_values, 40)
    whole = np.concatenate([blocks[top] for top in sorted(blocks)])
    np.testing.assert_allclose(whole, distances.pairwise(a, b, metric), rtol=2e-6)
