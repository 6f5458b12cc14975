"""Nearest neighbours, a linear probe, and replicates against a null: arrays only, in bounded memory."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.evaluation import distances
from morphobench.types import BoolArray, Float32Array, Float64Array, Int64Array

_LARGEST_GROUP = 512
_CHUNK_VALUES = 1 << 18  # distances at a time that other arrays of their size stand beside
PROBE_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True)
class Accuracy:
    """Share of right answers (NaN without queries), its chance level, and how many profiles were asked.

    ``asked``: their rows; ``right``: whether each was answered rightly.
    """

    accuracy: float
    chance: float
    queries: int
    asked: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64), repr=False, compare=False)
    right: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_), repr=False, compare=False)


@dataclass(frozen=True)
class Replicability:
    """Per group of at least two profiles: its median correlation, and the null's quantile for its size.

    ``share`` of the groups whose median correlation is above that quantile; NaN without any group.
    """

    groups: Int64Array
    median_correlation: Float64Array
    threshold: Float64Array
    share: float


@dataclass(frozen=True)
class Probe:
    """Accuracy on the test rows, plain and averaged over classes, and the strength that validation chose.

    ``rows``: the test rows asked; ``labels`` and ``predicted``: their classes.
    """

    accuracy: float
    balanced_accuracy: float
    chance: float
    strength: float
    rows: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64), repr=False, compare=False)
    labels: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64), repr=False, compare=False)
    predicted: Int64Array = field(default_factory=lambda: np.zeros(0, np.int64), repr=False, compare=False)


def nearest(profiles: Float32Array, *, k: int = 1, apart: Sequence[Int64Array] = ()) -> Int64Array:
    """The k nearest other profiles of each by cosine distance, nearest first; -1 where there are fewer.

    Args:
        profiles: (N, D) finite.
        k: Neighbours wanted.
        apart: Arrays (N,); a neighbour must differ from the query in every one of them (below 0: from none).

    Returns:
        (N, k) row numbers.

    Raises:
        InputError: k below 1, or shapes that do not fit.
    """
    if k < 1:
        raise InputError(f"k: at least 1 wanted, got {k}")
    _check_rows(profiles, **{f"apart[{i}]": codes for i, codes in enumerate(apart)})
    count = len(profiles)
    found = np.full((count, k), -1, dtype=np.int64)
    kept = min(k, count)
    step = max(1, _CHUNK_VALUES // count)
    for top, block in distances.pairwise_blocks(profiles, profiles, "cosine"):
        for start in range(0, len(block), step):
            part = block[start : start + step]
            rows = np.arange(top + start, top + start + len(part))
            part[np.isnan(part)] = 1  # a zero profile is like nothing
            part[np.arange(len(part)), rows] = np.inf
            for codes in apart:
                part[(codes[rows, None] == codes) & (codes >= 0)] = np.inf
            found[rows, :kept] = _smallest(part, kept)
    return found


def _smallest(values: Float32Array, kept: int) -> Int64Array:
    """Columns of each row's smallest values, smallest first; -1 for an infinity."""
    candidates = np.argpartition(values, kept - 1, axis=1)[:, :kept]
    # Columns in order first, so that the stable sort breaks ties by them.
    candidates.sort(axis=1)
    chosen_values = np.take_along_axis(values, candidates, axis=1)
    order = np.argsort(chosen_values, axis=1, kind="stable")
    chosen = np.take_along_axis(candidates, order, axis=1)
    chosen[~np.isfinite(np.take_along_axis(chosen_values, order, axis=1))] = -1
    return np.asarray(chosen, dtype=np.int64)


def neighbour_accuracy(
    profiles: Float32Array, labels: Int64Array, *, k: int = 1, apart: Sequence[Int64Array] = ()
) -> Accuracy:
    """How often the k nearest other profiles vote for a profile's own label.

    With labels of mechanism and apart of compound this is not-same-compound matching (NSC; Ljosa et al. 2013,
    Journal of Biomolecular Screening 18), with apart of compound and batch not-same-compound-or-batch (NSCB;
    Ando et al. 2017, bioRxiv 161422). Only profiles with at least one admissible neighbour of their label are
    asked: the others cannot be answered. The nearest of equally many votes decides.

    Args:
        profiles: (N, D) finite.
        labels: (N,); below 0: unknown, neither asked nor answering.
        k: Votes.
        apart: As in `nearest`.

    Returns:
        The accuracy, and as chance the mean share of a query's label among its admissible neighbours.

    Raises:
        InputError: As `nearest`.
    """
    _check_rows(profiles, labels=labels)
    known = np.flatnonzero(labels >= 0)
    if not len(known):
        return Accuracy(float("nan"), float("nan"), 0)
    labels, profiles = labels[known], profiles[known]
    apart = [codes[known] for codes in apart]
    shares = _label_shares(labels, apart)
    asked = shares > 0
    if not asked.any():
        return Accuracy(float("nan"), float("nan"), 0)
    votes = nearest(profiles, k=k, apart=apart)[asked]
    names = np.where(votes >= 0, labels[votes], -1)
    answers = np.array([_majority(row[row >= 0]) for row in names])
    right = answers == labels[asked]
    return Accuracy(float(np.mean(right)), float(np.mean(shares[asked])), len(right), known[asked], right)


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


def replicability(
    profiles: Float32Array,
    groups: Int64Array,
    *,
    null_size: int = 1000,
    quantile: float = 0.95,
    seed: int = 0,
) -> Replicability:
    """Are a group's profiles more alike than as many profiles of different groups?

    The statistic is the median Pearson correlation over a group's pairs; the null the same of ``null_size``
    random sets of as many profiles, all of different groups (of one from each where groups are fewer). Of a
    group of more than 512 profiles, 512 evenly spaced ones stand for it. With replicates as groups the share
    is "percent replicating", with compounds' profiles grouped by mechanism "percent matching" (Way et al.
    2022, Cell Systems 13, Methods).

    Args:
        profiles: (N, D) finite.
        groups: (N,); below 0: in no group, and in no null.
        null_size: Sets per group size.
        quantile: Of the null that a group must exceed.
        seed: Of the sets.

    Raises:
        InputError: shapes that do not fit, null_size below 1 or a quantile outside 0..1.
    """
    _check_rows(profiles, groups=groups)
    if null_size < 1 or not 0 <= quantile <= 1:
        raise InputError(
            f"null_size, quantile: at least 1, and 0 to 1, wanted, got {null_size} and {quantile}"
        )
    names, counts = np.unique(groups[groups >= 0], return_counts=True)
    members = [_evenly_spaced(np.flatnonzero(groups == name)) for name in names]
    sizes = np.minimum(counts, _LARGEST_GROUP)
    thresholds = {
        size: _null_quantile(profiles, members, min(size, len(names)), null_size, quantile, seed)
        for size in set(sizes[sizes >= 2].tolist())
        if len(names) >= 2
    }
    kept = [(name, size) for name, size in zip(names, sizes, strict=True) if size in thresholds]
    medians = np.array(
        [
            _median_correlation(profiles[own])
            for own, size in zip(members, sizes, strict=True)
            if size in thresholds
        ]
    )
    threshold = np.array([thresholds[size] for _, size in kept], dtype=np.float64)
    share = float(np.mean(medians > threshold)) if kept else float("nan")
    return Replicability(np.array([name for name, _ in kept], np.int64), medians, threshold, share)


def _evenly_spaced(rows: Int64Array) -> Int64Array:
    if len(rows) <= _LARGEST_GROUP:
        return rows
    return rows[np.arange(_LARGEST_GROUP) * len(rows) // _LARGEST_GROUP]


def _null_quantile(
    profiles: Float32Array,
    members: Sequence[Int64Array],
    size: int,
    null_size: int,
    quantile: float,
    seed: int,
) -> float:
    generator = np.random.default_rng((seed, size))
    values = np.empty(null_size)
    for draw in range(null_size):
        chosen = generator.choice(len(members), size, replace=False)
        rows = [members[group][generator.integers(len(members[group]))] for group in chosen]
        values[draw] = _median_correlation(profiles[rows])
    return float(np.quantile(values, quantile))


def _median_correlation(profiles: Float32Array) -> float:
    unit = profiles - profiles.mean(axis=1, keepdims=True, dtype=np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return float(np.median((unit @ unit.T)[np.triu_indices(len(unit), 1)]))


def linear_probe(
    profiles: Float32Array,
    labels: Int64Array,
    *,
    train: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    test: NDArray[np.bool_],
    strengths: Sequence[float] = PROBE_STRENGTHS,
) -> Probe:
    """A logistic regression on frozen profiles, its penalty chosen on validation; no seed, one optimum.

    Multinomial, with an L2 penalty, classes weighted by their rarity, features standardized on the training
    rows (scikit-learn's ``LogisticRegression`` by L-BFGS). ``strengths`` are its C, the inverse of the
    penalty; chosen is that of the best balanced accuracy on validation (the smallest of equals). Rows whose
    label is below 0, or absent from training, are left out.

    With fewer training rows than features the fit is made in the space that they span, which is exact:
    weights outside it would only add to the penalty.

    Args:
        profiles: (N, D) finite.
        labels: (N,) class numbers.
        train: (N,) rows to fit.
        validation: (N,) rows to choose the strength by; none: the middle one.
        test: (N,) rows to report.
        strengths: Candidates, larger than 0.

    Returns:
        NaN where there are fewer than two classes to train on, or no test row; chance is 1 / classes, that
        of the balanced accuracy.

    Raises:
        InputError: shapes that do not fit, or no strength.
    """
    _check_rows(profiles, labels=labels, train=train, validation=validation, test=test)
    if not strengths or min(strengths) <= 0:
        raise InputError(f"strengths: at least one, all above 0, wanted, got {tuple(strengths)}")
    classes = np.unique(labels[train & (labels >= 0)])
    usable = np.isin(labels, classes) & (labels >= 0)
    parts = [np.flatnonzero(part & usable) for part in (train, validation, test)]
    if len(classes) < 2 or not len(parts[2]):
        return Probe(float("nan"), float("nan"), float("nan"), float("nan"))
    x, x_validation, x_test = _standardized(profiles, parts)
    ordered = sorted(strengths)
    fitted = []
    for strength in ordered if len(parts[1]) else ordered[len(ordered) // 2 :][:1]:
        model = _logistic(x, labels[parts[0]], strength)
        score = _balanced(labels[parts[1]], model.predict(x_validation)) if len(parts[1]) else 0.0
        fitted.append((round(score, 9), -strength, model))  # the order of classes moves its last digits
    _, strength, model = max(fitted, key=lambda one: one[:2])
    wanted, predicted = labels[parts[2]], np.asarray(model.predict(x_test), dtype=np.int64)
    return Probe(
        float(np.mean(predicted == wanted)),
        _balanced(wanted, predicted),
        1 / len(classes),
        -strength,
        parts[2],
        wanted,
        predicted,
    )


def _standardized(profiles: Float32Array, parts: Sequence[Int64Array]) -> list[Float64Array]:
    """The parts' rows by mean and deviation of the first, in the space that its rows span where it has fewer
    than features.
    """
    mean = profiles[parts[0]].mean(axis=0, dtype=np.float64)
    spread = profiles[parts[0]].std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1
    scaled = [(profiles[part] - mean) / spread for part in parts]
    if len(parts[0]) < profiles.shape[1]:
        basis = np.linalg.qr(scaled[0].T)[0]
        scaled = [rows @ basis for rows in scaled]
    return scaled


def _logistic(x: Float64Array, labels: Int64Array, strength: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # The last digits of the optimum change no answer; what is nearly separable takes very long to them.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, class_weight="balanced", tol=1e-6, max_iter=1000).fit(x, labels)


def _balanced(labels: Int64Array, predicted: Int64Array) -> float:
    """Mean over the classes that occur of the share found."""
    return float(np.mean([np.mean(predicted[labels == name] == name) for name in np.unique(labels)]))


def _check_rows(profiles: Float32Array, **columns: NDArray[np.int64] | NDArray[np.bool_]) -> None:
    if profiles.ndim != 2 or 0 in profiles.shape:
        raise InputError(f"profiles: (N, D) with N, D >= 1 wanted, got shape {profiles.shape}")
    for name, column in columns.items():
        if column.shape != (len(profiles),):
            raise InputError(f"{name}: shape ({len(profiles)},) wanted, got {column.shape}")
