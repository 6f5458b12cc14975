"""Nearest neighbours by faiss: exact up to a size, an inverted file with measured recall above.

Cosine and correlation distance are half the squared euclidean distance of standardized rows, so one search
serves the three. The distances of what the search finds are computed again from differences: those of a
matrix product lose digits between near points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from morphobench.types import Float32Array, Int64Array

EXACT_ROWS = 50_000
"""Rows up to which the search is exact; 50,000 rows of 2,048 features take minutes on two cores."""

TARGET_RECALL = 0.99
"""Recall that an approximate search must reach on a sample of queries."""

_SAMPLE_QUERIES = 500
_TRAINING_ROWS_PER_LIST = 64  # of the inverted file's clustering; faiss warns below 39
_SPARE = 8  # neighbours found beyond those asked for, so that rounding of the search loses none
_BLOCK_VALUES = 1 << 22  # neighbours found at a time


@dataclass(frozen=True)
class Neighbours:
    """Nearest rows of each query, nearest first; ties in the order of rows.

    Attributes:
        indices: int64 (N, k) row numbers; -1 where there are fewer than k rows.
        distances: float32 (N, k); infinite where there is no neighbour.
        index: "exact" or "inverted file".
        recall: Share of the exact neighbours that were found, on a sample of queries; 1 for "exact".
    """

    indices: Int64Array
    distances: Float32Array
    index: str = "exact"
    recall: float = 1.0


class NeighbourIndex:
    """Index of rows to search for neighbours in.

    A zero row has no direction: its cosine and correlation distance from every row is taken as 1, that of
    orthogonal rows.

    Args:
        rows: float32 (M, D), finite.
        metric: "euclidean", "cosine", "correlation" or "braycurtis".
        exact_rows: Largest M that is searched exactly; "braycurtis" always is.
    """

    def __init__(
        self, rows: Float32Array, metric: str = "euclidean", *, exact_rows: int = EXACT_ROWS
    ) -> None:
        import faiss

        self.metric = metric
        self._center = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._base, self._zero = self._standardize(rows)
        features = self._base.shape[1]
        kind = faiss.METRIC_BrayCurtis if metric == "braycurtis" else faiss.METRIC_L2
        self._exact = faiss.IndexFlat(features, kind)
        self._exact.add(self._base)
        self._lists = 0
        if len(rows) > exact_rows and metric != "braycurtis":
            self._lists = max(1, int(4 * len(rows) ** 0.5))
            self._inverted = faiss.IndexIVFFlat(faiss.IndexFlatL2(features), features, self._lists)
            chosen = np.random.default_rng(0).permutation(len(rows))[: self._lists * _TRAINING_ROWS_PER_LIST]
            self._inverted.train(self._base[np.sort(chosen)])
            self._inverted.add(self._base)

    def search(self, queries: Float32Array, k: int) -> Neighbours:
        """Find the nearest rows of each query.

        Args:
            queries: float32 (N, D), finite.
            k: Neighbours per query, at least 1.

        Returns:
            The neighbours. An inverted file visits as many lists as `TARGET_RECALL` takes.
        """
        asked, zero = self._standardize(queries)
        return self._search(asked, zero, k, None, ())

    def search_rows(self, k: int, *, apart: Sequence[Int64Array] = ()) -> Neighbours:
        """Find the nearest other rows of each row.

        Args:
            k: Neighbours per row, at least 1.
            apart: Arrays (M,); a neighbour must differ from the row in every one of them. A value below 0 is
                unknown and differs from all.

        Returns:
            The neighbours, none of them the row itself.
        """
        return self._search(self._base, self._zero, k, np.arange(len(self._base)), apart)

    def _search(
        self,
        asked: Float32Array,
        zero: Int64Array,
        k: int,
        own: Int64Array | None,
        apart: Sequence[Int64Array],
    ) -> Neighbours:
        count = len(self._base)
        # A search for as many more as may be inadmissible always finds the k that are admissible.
        excluded = np.zeros(len(asked), np.int64) if own is None else np.ones(len(asked), np.int64)
        for codes in apart:
            known = codes >= 0
            excluded[known] += np.bincount(codes[known])[codes[known]]
        wanted = np.minimum(k + _SPARE + excluded, count)
        index, recall = self._choose(asked, int(wanted.max()))
        indices = np.full((len(asked), k), -1, dtype=np.int64)
        distances = np.full((len(asked), k), np.inf, dtype=np.float32)
        order = np.argsort(wanted, kind="stable")
        step = max(1, _BLOCK_VALUES // int(wanted.max()))
        for start in range(0, len(asked), step):
            rows = order[start : start + step]
            found = index.search(asked[rows], int(wanted[rows].max()))[1]
            lost = np.flatnonzero(np.isin(rows, zero))
            found[lost] = np.arange(found.shape[1])  # all rows are equally far
            if own is not None:
                found = _admissible(found, rows, apart)
            found = found[:, : k + _SPARE]
            ranked, values = self._rank(asked[rows], found)
            ranked[lost] = found[lost]
            kept = min(k, found.shape[1])
            indices[rows, :kept], distances[rows, :kept] = ranked[:, :kept], values[:, :kept]
        if self.metric == "euclidean":
            np.sqrt(distances, out=distances)
        elif self.metric != "braycurtis":
            distances /= 2
            distances[zero] = np.where(indices[zero] >= 0, 1, np.inf)
        return Neighbours(indices, distances, "inverted file" if self._lists else "exact", recall)

    def _choose(self, asked: Float32Array, k: int) -> tuple[Any, float]:
        """The index to search, and its recall on a sample of queries."""
        if not self._lists:
            return self._exact, 1.0
        sample = asked[np.random.default_rng(0).permutation(len(asked))[:_SAMPLE_QUERIES]]
        truth = self._exact.search(sample, k)[1]
        self._inverted.nprobe = 1
        while True:
            found = self._inverted.search(sample, k)[1]
            recall = sum(len(np.intersect1d(x, y)) for x, y in zip(found, truth, strict=True)) / truth.size
            if recall >= TARGET_RECALL or self._inverted.nprobe >= self._lists:
                return self._inverted, recall
            self._inverted.nprobe = min(2 * self._inverted.nprobe, self._lists)

    def _rank(self, asked: Float32Array, found: Int64Array) -> tuple[Int64Array, Float32Array]:
        """Order what was found by distances computed from differences, then by row; -1 last."""
        import faiss

        asked, indices = np.ascontiguousarray(asked), np.ascontiguousarray(found)
        rows = np.maximum(indices, 0)
        values = np.empty(indices.shape, dtype=np.float32)
        if self.metric == "braycurtis":
            for value, query, own in zip(values, asked, rows, strict=True):
                value[:] = faiss.pairwise_distances(query[None], self._base[own], faiss.METRIC_BrayCurtis)[0]
        else:
            pointers = (faiss.swig_ptr(array) for array in (values, asked, self._base, rows))
            faiss.fvec_L2sqr_by_idx(  # type: ignore[attr-defined]
                *pointers, asked.shape[1], len(asked), indices.shape[1]
            )
        values[indices < 0] = np.inf
        order = np.lexsort((indices, values), axis=1)
        return np.take_along_axis(indices, order, axis=1), np.take_along_axis(values, order, axis=1)

    def _standardize(self, rows: Float32Array) -> tuple[Float32Array, Int64Array]:
        """Rows whose squared euclidean distance is that of the metric, and the rows without direction."""
        if self.metric in ("euclidean", "braycurtis"):
            moved = rows - self._center if self.metric == "euclidean" else rows
            return np.ascontiguousarray(moved, np.float32), np.zeros(0, np.int64)
        unit, zero = _unit_rows(rows, self.metric)
        # One more coordinate puts a zero row at the distance of orthogonal rows.
        beside = np.zeros((len(rows), 1), np.float32)
        beside[zero] = 1
        return np.ascontiguousarray(np.hstack([unit, beside])), zero


def _admissible(found: Int64Array, own: Int64Array, apart: Sequence[Int64Array]) -> Int64Array:
    """Move the neighbours that may not count to the end, as -1; the order of the others stays."""
    allowed = found != own[:, None]
    for codes in apart:
        allowed &= (codes[found] != codes[own, None]) | (codes[own, None] < 0)
    order = np.argsort(~allowed, axis=1, kind="stable")
    return np.take_along_axis(np.where(allowed, found, -1), order, axis=1)


def _unit_rows(rows: Float32Array, metric: str) -> tuple[Float32Array, Int64Array]:
    """Rows of length 1 (for correlation with mean 0), and the numbers of those without direction."""
    wide = rows.astype(np.float64)
    if metric == "correlation":
        wide -= wide.mean(axis=1, keepdims=True)
        wide[np.ptp(rows, axis=1) == 0] = 0  # else rounding of the mean would become a direction
    norms = np.linalg.norm(wide, axis=1)
    wide /= np.where(norms > 0, norms, 1)[:, None]
    return wide.astype(np.float32), np.flatnonzero(norms == 0)


def pairwise(a: Float32Array, b: Float32Array, metric: str) -> Float32Array:
    """All distances by faiss's own functions; faster or slower than ours, and less exact between near rows.

    Args:
        a: float32 (N, D), finite.
        b: float32 (M, D), finite.
        metric: "euclidean", "cosine", "correlation" or "braycurtis".

    Returns:
        float32 (N, M); NaN where undefined.
    """
    import faiss

    if metric == "braycurtis":
        return np.asarray(faiss.pairwise_distances(a, b, faiss.METRIC_BrayCurtis), np.float32)
    if metric == "euclidean":
        squares = faiss.pairwise_distances(a, b, faiss.METRIC_L2)
        return np.sqrt(np.maximum(squares, 0, out=squares), out=squares)
    (x, x_zero), (y, y_zero) = _unit_rows(a, metric), _unit_rows(b, metric)
    found = faiss.pairwise_distances(x, y, faiss.METRIC_INNER_PRODUCT)
    np.subtract(1, found, out=found)
    found[x_zero], found[:, y_zero] = np.nan, np.nan
    return np.asarray(found, np.float32)
