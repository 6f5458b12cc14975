"""Distances between all rows of two sets of embeddings, and their exact medians in bounded memory.

Euclidean, cosine and correlation distance come from one matrix product of the standardized rows, whose
cancellation is found and repaired pair by pair; Bray-Curtis and the medians from C++. Every value agrees with
a float64 calculation (``scipy.spatial.distance.cdist``) to 1e-5 of itself, duplicates (exactly 0),
near-duplicates and values from 1e-30 to 1e30 included.

Where a distance is undefined it is what scipy makes of it: NaN for the cosine distance of a zero row, the
correlation distance of a constant row, the Bray-Curtis distance of two zero rows; infinite for the
Bray-Curtis distance of a row and its negative. A median over pairs with a NaN is NaN, as in numpy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench import _core
from morphobench.errors import InputError

METRICS: tuple[str, ...] = ("euclidean", "cosine", "correlation", "braycurtis")

_BLOCK_VALUES = 1 << 22  # pairs whose product is held at a time: 16 MiB
_KEPT_VALUES = 1 << 23  # distances held per metric while a median is sought: 32 MiB
_BLOCK_COLUMNS = 1 << 14
_PAIRS_PER_SAMPLE = 2048

Block = tuple[int, int, int, int]


def pairwise(
    a: NDArray[Any], b: NDArray[Any], metric: str, *, threads: int | None = None, simd: str = "auto"
) -> NDArray[np.float32]:
    """Distance of every row of one matrix to every row of another.

    Args:
        a: (N, D) numbers, N and D at least 1; computed on as float32.
        b: (M, D) numbers.
        metric: One of `METRICS`; ``braycurtis`` is sum|a - b| / sum|a + b|.
        threads: Threads of the C++ part, by default one per processor; no value depends on it. The matrix
            product uses numpy's own threads.
        simd: Instruction set of the C++ part, by default the best there is.

    Returns:
        (N, M) float32; smaller is closer.

    Raises:
        InputError: a or b is no such matrix, holds a NaN or an infinity, or the metric is unknown.
    """
    _check_metrics((metric,))
    pairs, rows, others = _prepare(a, b, (metric,), threads=threads, simd=simd)
    distances = np.empty((rows, others), dtype=np.float32)
    if metric == "braycurtis":
        pairs.write((0, rows, 0, others), None, metric, distances)
        return distances
    for block, product in _products(pairs, rows, others, block_values=_BLOCK_VALUES):
        top, bottom, left, right = block
        pairs.write(block, product, metric, product)
        distances[top:bottom, left:right] = product
    return distances


def pairwise_blocks(
    a: NDArray[Any],
    b: NDArray[Any],
    metric: str,
    *,
    block_values: int = _BLOCK_VALUES,
    threads: int | None = None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """`pairwise` a few rows at a time, for what needs whole rows of a matrix too large to hold.

    Yields the first row's number and its block (rows, M) of at most ``block_values`` distances (or one row);
    the array is used again for the next block. Arguments and errors are those of `pairwise`.
    """
    _check_metrics((metric,))
    pairs, rows, others = _prepare(a, b, (metric,), threads=threads, simd="auto")
    height = max(1, min(rows, block_values // others))
    block = np.empty((height, others), dtype=np.float32)
    for top in range(0, rows, height):
        bottom = min(top + height, rows)
        out = block[: bottom - top]
        if metric != "braycurtis":
            np.matmul(pairs.standardized_a[top:bottom], pairs.standardized_b.T, out=out)
        pairs.write((top, bottom, 0, others), None if metric == "braycurtis" else out, metric, out)
        yield top, out


def median_distances(
    a: NDArray[Any],
    b: NDArray[Any],
    metrics: Sequence[str] = METRICS,
    *,
    threads: int | None = None,
    simd: str = "auto",
) -> dict[str, float]:
    """Exact median over all N * M pairs of each distance, without ever holding the N x M matrix.

    A sample of pairs says where each median must lie; one pass over all pairs then counts those below and
    keeps those inside. Where the guess misses, or too many values lie inside, further passes narrow it down.
    Above its inputs it holds float32 copies of them, 16 MiB of products and 32 MiB per metric.

    Args:
        a: (N, D) numbers, N and D at least 1; computed on as float32.
        b: (M, D) numbers.
        metrics: Which of `METRICS`, in the order wanted.
        threads: As in `pairwise`.
        simd: As in `pairwise`.

    Returns:
        By metric the median of the float32 values that `pairwise` gives, the mean of the middle two where
        N * M is even; NaN where any pair's distance is.

    Raises:
        InputError: As `pairwise`, or no metric is given.
    """
    return _medians(a, b, metrics, threads=threads, simd=simd)


def _medians(
    a: NDArray[Any],
    b: NDArray[Any],
    metrics: Sequence[str],
    *,
    threads: int | None = None,
    simd: str = "auto",
    block_values: int = _BLOCK_VALUES,
    kept_values: int = _KEPT_VALUES,
) -> dict[str, float]:
    """`median_distances` with its memory bounds as arguments, so that tests can make them tight."""
    metrics = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    _check_metrics(metrics)
    pairs, rows, others = _prepare(a, b, metrics, threads=threads, simd=simd)
    searches = {metric: _core.MedianSearch(rows * others, kept_values) for metric in metrics}
    if rows * others > min(_KEPT_VALUES // 32, kept_values):
        _guess(pairs, rows * others, searches)
    unfinished = dict(searches)
    while unfinished:
        _pass(pairs, rows, others, unfinished, block_values=block_values)
        unfinished = {metric: search for metric, search in unfinished.items() if not search.finish_pass()}
    return {metric: search.median for metric, search in searches.items()}


def _pass(
    pairs: _core.CrossDistances,
    rows: int,
    others: int,
    searches: dict[str, _core.MedianSearch],
    *,
    block_values: int,
) -> None:
    # Without a product first: a BLAS' threads keep spinning for a while after their last product.
    without = {metric: search for metric, search in searches.items() if metric == "braycurtis"}
    if without:
        pairs.search((0, rows, 0, others), None, without)
    through = {metric: search for metric, search in searches.items() if metric != "braycurtis"}
    if through:
        for block, product in _products(pairs, rows, others, block_values=block_values):
            pairs.search(block, product, through)


def _guess(pairs: _core.CrossDistances, total: int, searches: dict[str, _core.MedianSearch]) -> None:
    """Brackets each median by four standard errors of its rank, as if only whole rows were independent."""
    tiles = min(max(total // _PAIRS_PER_SAMPLE, 16), 1 << 14)
    margin = 4 * 0.5 * float(np.sqrt(2 / (4 * tiles)))
    for metric, sample in pairs.sample(tiles, list(searches)).items():
        if np.isnan(sample).any():
            continue
        ranks = np.clip(np.array([0.5 - margin, 0.5 + margin]), 0, 1) * (sample.size - 1)
        low, high = np.partition(sample, ranks.astype(int))[ranks.astype(int)]
        searches[metric].bracket(float(low), float(high))


def _products(
    pairs: _core.CrossDistances, rows: int, others: int, *, block_values: int
) -> Iterator[tuple[Block, NDArray[np.float32]]]:
    """All pairs in blocks of at most `block_values`, each with the product of its standardized rows."""
    width = min(others, _BLOCK_COLUMNS, block_values)
    height = min(rows, max(1, block_values // width))
    buffer = np.empty(height * width, dtype=np.float32)
    a, b = pairs.standardized_a, pairs.standardized_b
    for top in range(0, rows, height):
        bottom = min(top + height, rows)
        for left in range(0, others, width):
            right = min(left + width, others)
            product = buffer[: (bottom - top) * (right - left)].reshape(bottom - top, right - left)
            np.matmul(a[top:bottom], b[left:right].T, out=product)
            yield (top, bottom, left, right), product


def _prepare(
    a: NDArray[Any], b: NDArray[Any], metrics: tuple[str, ...], *, threads: int | None, simd: str
) -> tuple[_core.CrossDistances, int, int]:
    if threads is None:
        threads = _processors()
    elif threads < 1:
        raise InputError(f"threads: at least 1 wanted, got {threads}")
    if simd != "auto" and simd not in _core.distance_simd():
        raise InputError(f"simd: auto or one of {', '.join(_core.distance_simd())} wanted, got {simd}")
    a, b = _checked(a, "a"), _checked(b, "b")
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"a, b: the same number of features wanted, got {a.shape[1]} in a and {b.shape[1]} in b"
        )
    needs_product = any(metric != "braycurtis" for metric in metrics)
    pairs = _core.CrossDistances(a, b, needs_product, threads, simd)
    for name, matrix, row in (("a", a, pairs.nonfinite_row_a), ("b", b, pairs.nonfinite_row_b)):
        if row < len(matrix):
            raise InputError(f"{name}: finite float32 values wanted, got a NaN or an infinity in row {row}")
    return pairs, len(a), len(b)


def _checked(matrix: NDArray[Any], name: str) -> NDArray[np.float32]:
    matrix = np.asarray(matrix)
    if matrix.dtype.kind not in "fiu":
        raise TypeError(f"{name}: real numbers wanted, got dtype {matrix.dtype}")
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(
            f"{name}: at least one row and one feature, (rows, features), wanted, got shape {matrix.shape}"
        )
    with np.errstate(over="ignore"):  # the infinity that a larger number becomes is refused by its row
        return np.ascontiguousarray(matrix, dtype=np.float32)


def _check_metrics(metrics: tuple[str, ...]) -> None:
    if not metrics:
        raise InputError(f"metrics: at least one of {', '.join(METRICS)} wanted, got none")
    for metric in metrics:
        if metric not in METRICS:
            raise InputError(f"metric: one of {', '.join(METRICS)} wanted, got {metric!r}")


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
