"""Nearest-neighbour matching: how often the closest profiles share a label; arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from morphobench.errors import InputError
from morphobench.evaluation.neighbours import NeighbourIndex
from morphobench.evaluation.retrieval.checks import check_rows, rows_field
from morphobench.types import BoolArray, Float32Array, Float64Array, Int64Array

_CHUNK_VALUES = 1 << 22  # pairs of profiles held at a time


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of matching.

    Attributes:
        accuracy: Share of correct answers; NaN without queries.
        chance: Accuracy of a random admissible neighbour.
        queries: Number of profiles asked.
        asked: Their rows, int64 (Q,).
        right: Whether each was answered correctly, bool (Q,).
        predicted: The label answered, int64 (Q,).
    """

    accuracy: float
    chance: float
    queries: int
    asked: Int64Array = rows_field()
    right: BoolArray = rows_field(np.bool_)
    predicted: Int64Array = rows_field()


def nearest(
    profiles: Float32Array,
    *,
    k: int = 1,
    apart: Sequence[Int64Array] = (),
    metric: str = "cosine",
) -> Int64Array:
    """Find the nearest other profiles of each profile.

    Args:
        profiles: (N, D) finite.
        k: Neighbours of each.
        apart: Arrays (N,); a neighbour must differ from the query in every one of them. A value below 0 is
            unknown and differs from all.
        metric: "cosine", "correlation" or "euclidean".

    Returns:
        int64 (N, k) row numbers, nearest first, ties in the order of rows; -1 where there are fewer.

    Raises:
        InputError: k below 1, or shapes that do not fit.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    check_rows(profiles, **{f"apart[{i}]": codes for i, codes in enumerate(apart)})
    index = NeighbourIndex(np.asarray(profiles, dtype=np.float32), metric)
    return index.search_rows(k, apart=apart).indices


def neighbour_accuracy(
    profiles: Float32Array,
    labels: Int64Array,
    *,
    k: int = 1,
    apart: Sequence[Int64Array] = (),
    metric: str = "cosine",
) -> Accuracy:
    """Measure how often the k nearest other profiles vote for a profile's own label.

    With labels of mechanism and ``apart`` of compound this is not-same-compound matching (NSC; Ljosa et al.
    2013, Journal of Biomolecular Screening 18); with ``apart`` of compound and batch it is
    not-same-compound-or-batch matching (NSCB; Ando et al. 2017, bioRxiv 161422). Only profiles with at least
    one admissible neighbour of their label are asked: the others cannot be answered. Of labels with equally
    many votes the one with the nearest profile is the answer.

    Args:
        profiles: (N, D) finite.
        labels: (N,) label numbers; below 0: unknown, neither asked nor answering.
        k: Votes.
        apart: As in `nearest`.
        metric: As in `nearest`.

    Returns:
        The accuracy; its chance level is the mean share of a query's label among its admissible neighbours.

    Raises:
        InputError: As `nearest`.
    """
    check_rows(profiles, labels=labels)
    known = np.flatnonzero(labels >= 0)
    if not len(known):
        return Accuracy(float("nan"), float("nan"), 0)
    labels, profiles = labels[known], profiles[known]
    apart = [codes[known] for codes in apart]
    shares = _label_shares(labels, apart)
    asked = shares > 0
    if not asked.any():
        return Accuracy(float("nan"), float("nan"), 0)
    votes = nearest(profiles, k=k, apart=apart, metric=metric)[asked]
    names = np.where(votes >= 0, labels[votes], -1)
    answers = np.array([_majority(row[row >= 0]) for row in names], dtype=np.int64)
    right = answers == labels[asked]
    accuracy, chance = float(np.mean(right)), float(np.mean(shares[asked]))
    return Accuracy(accuracy, chance, len(right), known[asked], right, answers)


def _label_shares(labels: Int64Array, apart: Sequence[Int64Array]) -> Float64Array:
    """Share of each row's label among its admissible neighbours; 0 where it has none."""
    shares = np.zeros(len(labels))
    step = max(1, _CHUNK_VALUES // len(labels))
    for top in range(0, len(labels), step):
        rows = np.arange(top, min(top + step, len(labels)))
        admissible = rows[:, None] != np.arange(len(labels))
        for codes in apart:
            admissible &= (codes[rows, None] != codes) | (codes < 0)
        same = (admissible & (labels[rows, None] == labels)).sum(axis=1)
        shares[rows] = same / np.maximum(admissible.sum(axis=1), 1)
    return shares


def _majority(names: Int64Array) -> int:
    values, first, counts = np.unique(names, return_index=True, return_counts=True)
    return int(values[np.lexsort((first, -counts))[0]])
