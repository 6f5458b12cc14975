"""Distances between all rows of two sets of embeddings, their exact medians, and nearest rows.

Euclidean, cosine and correlation distance come from one matrix product of the standardized rows; pairs that
suffer from cancellation are found and computed again. Bray-Curtis distance and the medians come from C++.
Every value agrees with a float64 calculation (``scipy.spatial.distance.cdist``) to a relative 1e-5, including
duplicates (exactly 0), near-duplicates and values from 1e-30 to 1e30.

Where a distance is undefined it has scipy's value: NaN for the cosine distance of a zero row, the
correlation distance of a constant row, the Bray-Curtis distance of two zero rows; infinite for the
Bray-Curtis distance of a row and its negative. A median over pairs with a NaN is NaN, as in numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from morphobench import _core
from morphobench._util.cpu import available_cores
from morphobench.errors import InputError
from morphobench.evaluation import neighbours

METRICS: tuple[str, ...] = ("euclidean", "cosine", "correlation", "braycurtis")

_BLOCK_VALUES = 1 << 22  # pairs whose product is held at a time: 16 MiB
_KEPT_VALUES = 1 << 23  # distances held per metric while a median is sought: 32 MiB
_BLOCK_COLUMNS = 1 << 14
_PAIRS_PER_SAMPLE = 2048

Block = tuple[int, int, int, int]

Backend: TypeAlias = Literal["morphobench", "faiss"]


def pairwise(
    a: NDArray[Any],
    b: NDArray[Any],
    metric: str,
    *,
    backend: Backend = "morphobench",
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Compute the distance of every row of one matrix to every row of another.

    Args:
        a: (N, D) numbers, N and D at least 1; computed on as float32.
        b: (M, D) numbers.
        metric: One of `METRICS`; ``braycurtis`` is sum|a - b| / sum|a + b|.
        backend: "morphobench", or "faiss" for faiss's own functions, whose euclidean, cosine and correlation
            distances of near-duplicates are rounding noise.
        threads: Threads of the C++ part, by default one per available core; no value depends on it. The
            matrix product uses numpy's own threads.

    Returns:
        (N, M) float32; smaller is closer.

    Raises:
        InputError: a or b is no such matrix or holds a NaN or an infinity; an unknown metric or backend.
    """
    _check_metrics((metric,))
    if backend == "faiss":
        return neighbours.pairwise(*_check_pair(a, b), metric)
    if backend != "morphobench":
        raise InputError(f"backend must be morphobench or faiss, got {backend!r}")
    pairs, rows, others = _prepare(a, b, (metric,), threads=threads)
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
    """Compute `pairwise` a few rows at a time, for matrices too large to hold.

    Args:
        a: (N, D) numbers.
        b: (M, D) numbers.
        metric: One of `METRICS`.
        block_values: Most distances of a block; a block has at least one row.
        threads: As in `pairwise`.

    Yields:
        Number of a block's first row, and its distances float32 (rows, M). The array is used again for the
        next block.

    Raises:
        InputError: As `pairwise`.
    """
    _check_metrics((metric,))
    pairs, rows, others = _prepare(a, b, (metric,), threads=threads)
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
    block_values: int = _BLOCK_VALUES,
    kept_values: int = _KEPT_VALUES,
) -> dict[str, float]:
    """Compute the exact median of each distance over all N * M pairs, without holding the N x M matrix.

    A sample of pairs brackets each median; one pass over all pairs counts the values below and keeps those
    inside the bracket. Where the bracket misses the median or holds too many values, further passes narrow
    it. Beside its inputs this holds float32 copies of them, 16 MiB of products and 32 MiB per metric at the
    defaults of its bounds.

    Args:
        a: (N, D) numbers, N and D at least 1; computed on as float32.
        b: (M, D) numbers.
        metrics: Which of `METRICS`, in the order wanted.
        threads: As in `pairwise`.
        block_values: Pairs whose product is held at a time.
        kept_values: Distances held per metric; fewer cost passes and change nothing.

    Returns:
        By metric the median of the float32 values that `pairwise` gives, the mean of the middle two where
        N * M is even; NaN where any pair's distance is.

    Raises:
        InputError: As `pairwise`, or no metric is given.
    """
    metrics = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    _check_metrics(metrics)
    pairs, rows, others = _prepare(a, b, metrics, threads=threads)
    searches = {metric: _core.MedianSearch(rows * others, kept_values) for metric in metrics}
    if rows * others > min(_KEPT_VALUES // 32, kept_values):
        _guess(pairs, rows * others, searches)
    unfinished = dict(searches)
    while unfinished:
        _pass(pairs, rows, others, unfinished, block_values=block_values)
        unfinished = {metric: search for metric, search in unfinished.items() if not search.finish_pass()}
    return {metric: search.median for metric, search in searches.items()}


def nearest(
    a: NDArray[Any], b: NDArray[Any], k: int, metric: str = "euclidean"
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the nearest rows of one matrix for each row of another, by faiss.

    Exact up to 50,000 rows of ``b``; above, an inverted file with a recall of at least 0.99 on a sample
    (`neighbours.NeighbourIndex` says how large it was). Bray-Curtis is always exact.

    Args:
        a: (N, D) numbers: queries.
        b: (M, D) numbers: rows to search.
        k: Neighbours of each query, at least 1.
        metric: One of `METRICS`. A zero row's cosine, a constant row's correlation distance counts as 1.

    Returns:
        Row numbers int64 (N, k), nearest first, ties in the order of rows, -1 where M < k; and distances
        float32 (N, k).

    Raises:
        InputError: As `pairwise`, or k below 1.
    """
    _check_metrics((metric,))
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    queries, rows = _check_pair(a, b)
    found = neighbours.NeighbourIndex(rows, metric).search(queries, k)
    return found.indices, found.distances


def _pass(
    pairs: _core.CrossDistances,
    rows: int,
    others: int,
    searches: dict[str, _core.MedianSearch],
    *,
    block_values: int,
) -> None:
    # First the metric without a product: a BLAS' threads keep spinning for a while after their last product.
    without = {metric: search for metric, search in searches.items() if metric == "braycurtis"}
    if without:
        pairs.search((0, rows, 0, others), None, without)
    through = {metric: search for metric, search in searches.items() if metric != "braycurtis"}
    if through:
        for block, product in _products(pairs, rows, others, block_values=block_values):
            pairs.search(block, product, through)


def _guess(pairs: _core.CrossDistances, total: int, searches: dict[str, _core.MedianSearch]) -> None:
    """Bracket each median by four standard errors of its rank, as if only whole rows were independent."""
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
    a: NDArray[Any], b: NDArray[Any], metrics: tuple[str, ...], *, threads: int | None
) -> tuple[_core.CrossDistances, int, int]:
    if threads is None:
        threads = available_cores()
    elif threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    a, b = _check_matrices(a, b)
    needs_product = any(metric != "braycurtis" for metric in metrics)
    try:
        pairs = _core.CrossDistances(a, b, needs_product, threads)
    except ValueError as error:  # a NaN or an infinity, found while the rows are measured
        raise InputError(str(error)) from None
    return pairs, len(a), len(b)


def _check_matrices(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    a, b = _check_matrix(a, "a"), _check_matrix(b, "b")
    if a.shape[1] != b.shape[1]:
        raise InputError(f"a and b must have as many features, got {a.shape[1]} and {b.shape[1]}")
    return a, b


def _check_pair(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Check matrices that do not go through `CrossDistances`, which looks for NaN and infinity itself."""
    a, b = _check_matrices(a, b)
    for name, matrix in (("a", a), ("b", b)):
        bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        if len(bad):
            raise InputError(_not_finite(name, int(bad[0])))
    return a, b


def _not_finite(name: str, row: int) -> str:
    return f"{name} must hold finite float32 values, got a NaN or an infinity in row {row}"


def _check_matrix(matrix: NDArray[Any], name: str) -> NDArray[np.float32]:
    matrix = np.asarray(matrix)
    if matrix.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, got dtype {matrix.dtype}")
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(
            f"{name} must have at least one row and one feature, (rows, features), got shape {matrix.shape}"
        )
    with np.errstate(over="ignore"):  # a number too large becomes infinity, which is refused by its row
        return np.ascontiguousarray(matrix, dtype=np.float32)


def _check_metrics(metrics: tuple[str, ...]) -> None:
    if not metrics:
        raise InputError(f"metrics must be at least one of {', '.join(METRICS)}, got none")
    for metric in metrics:
        if metric not in METRICS:
            raise InputError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
