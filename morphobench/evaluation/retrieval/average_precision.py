"""Retrieval of replicates and of similar compounds: mean average precision with permutation p-values.

Average precision ranks, for each query profile, its positives and negatives by cosine distance; its mean over
a group is tested against random rankings and corrected for the number of groups (Kalinin et al. 2025, "A
versatile information retrieval framework for evaluating profile strength and similarity", Nature
Communications 16, Methods; the same quantities as the library copairs). Arrays only, no tables; memory is
bounded by blocks of rows, so that 50,000 profiles fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from morphobench.errors import InputError
from morphobench.evaluation import distances
from morphobench.evaluation.retrieval.checks import check_rows
from morphobench.types import BoolArray, Float32Array, Int64Array

_FEW_POSITIVES = 16  # up to this number, counting per positive is faster than a search per negative
_RANDOM_VALUES = 1 << 22


@dataclass(frozen=True)
class Retrieval:
    """Average precision of each profile.

    Attributes:
        average_precision: (N,); NaN where the profile is no query or has nothing to find.
        positives: (N,) profiles of the query's group.
        candidates: (N,) positives and negatives.
    """

    average_precision: NDArray[np.float64]
    positives: Int64Array
    candidates: Int64Array


@dataclass(frozen=True)
class GroupRetrieval:
    """Mean average precision of each group that has a defined query, ordered by group.

    Attributes:
        groups: (G,) group numbers.
        mean_average_precision: (G,).
        p_values: (G,) against random rankings.
        q_values: (G,) p-values after Benjamini and Hochberg (1995).
        queries: (G,) number of queries.
        chance: (G,) mean of the null.
        chance_deviation: (G,) standard deviation of the null.
    """

    groups: Int64Array
    mean_average_precision: NDArray[np.float64]
    p_values: NDArray[np.float64]
    q_values: NDArray[np.float64]
    queries: Int64Array
    chance: NDArray[np.float64]
    chance_deviation: NDArray[np.float64]


def average_precision(
    profiles: Float32Array,
    groups: Int64Array,
    *,
    controls: BoolArray | None = None,
    strata: Int64Array | None = None,
    apart: Int64Array | None = None,
    metric: str = "cosine",
) -> Retrieval:
    """Measure how well each profile retrieves the others of its group.

    Candidates at equal distance are interleaved evenly, so that embeddings without information gain nothing.

    Args:
        profiles: (N, D) finite.
        groups: (N,) group numbers; below 0: in no group, so neither query nor positive.
        controls: bool (N,) the negatives; None: all profiles of other groups are negatives.
        strata: (N,) only profiles of the same stratum (a cell line, a plate) are compared; None: all.
        apart: (N,) positives must differ from the query in this number (a compound, a plate); None: any.
        metric: One of `distances.METRICS`.

    Returns:
        Result for each profile, in the order given. A control is no query.

    Raises:
        InputError: shapes that do not fit, values that are not finite.
    """
    check_rows(profiles, groups=groups, controls=controls, strata=strata, apart=apart)
    count = len(profiles)
    result = Retrieval(np.full(count, np.nan), np.zeros(count, np.int64), np.zeros(count, np.int64))
    strata = np.zeros(count, np.int64) if strata is None else strata
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        _stratum(
            profiles[rows],
            groups[rows],
            controls=None if controls is None else controls[rows],
            apart=None if apart is None else apart[rows],
            metric=metric,
            rows=rows,
            into=result,
        )
    return result


def _stratum(
    profiles: Float32Array,
    groups: Int64Array,
    *,
    controls: BoolArray | None,
    apart: Int64Array | None,
    metric: str,
    rows: Int64Array,
    into: Retrieval,
) -> None:
    eligible = groups >= 0
    negatives = np.flatnonzero(eligible if controls is None else controls)
    queries = np.flatnonzero(eligible if controls is None else eligible & ~controls)
    if len(queries) < 2 or not len(negatives):
        return
    members = {group: np.flatnonzero(groups == group) for group in np.unique(groups[queries])}
    if controls is not None:
        members = {group: found[~controls[found]] for group, found in members.items()}
    for top, block in distances.pairwise_blocks(profiles[queries], profiles, metric):
        block[np.isnan(block)] = 1  # a zero profile has no direction: orthogonal to all
        for offset, row in enumerate(block):
            query = queries[top + offset]
            own = members[groups[query]]
            positives = own[own != query]
            if apart is not None:
                positives = positives[apart[positives] != apart[query]]
            others = row[negatives]
            if controls is None:  # these include the query's own group, which is no negative
                closer = _closer(row[positives], others) - _closer(row[positives], row[own])
                negative_count = len(negatives) - len(own)
            else:
                closer = _closer(row[positives], others)
                negative_count = len(negatives)
            at = rows[query]
            into.positives[at] = len(positives)
            into.candidates[at] = len(positives) + negative_count
            if len(positives) and negative_count:
                into.average_precision[at] = _precision(row[positives], closer)


def _closer(positives: Float32Array, negatives: Float32Array) -> NDArray[np.float64]:
    """Numbers of negatives that are closer than, and as close as, each positive: (2, positives)."""
    if len(positives) <= _FEW_POSITIVES:
        return np.array(
            [
                [np.count_nonzero(negatives < positive) for positive in positives],
                [np.count_nonzero(negatives == positive) for positive in positives],
            ],
            dtype=np.float64,
        )
    values, places = np.unique(positives, return_inverse=True)
    below = np.searchsorted(values, negatives, side="right")  # values at most as large as the negative
    equal = below > np.searchsorted(values, negatives, side="left")
    ties = np.bincount(below[equal] - 1, minlength=len(values))[: len(values)]
    up_to = np.cumsum(np.bincount(below, minlength=len(values) + 1))[: len(values)]
    # A negative equal to values[k] has below = k + 1, so up_to[k] counts those strictly closer.
    return np.stack([up_to[places], ties[places]]).astype(np.float64)


def _precision(positives: Float32Array, closer: NDArray[np.float64]) -> float:
    order = np.argsort(positives, kind="stable")
    values, (closer_count, tied_count) = positives[order], closer[:, order]
    found = np.arange(1, len(order) + 1)
    first = np.searchsorted(values, values, side="left")
    ties = np.searchsorted(values, values, side="right") - first
    # Of n negatives tied with p positives, n m / (p + 1) are expected before the m-th positive.
    rank = found + closer_count + tied_count * (found - first) / (ties + 1)
    return float(np.mean(found / rank))


def mean_average_precision(
    retrieval: Retrieval, groups: Int64Array, *, null_size: int = 1000, seed: int = 0
) -> GroupRetrieval:
    """Average over each group's queries, with p-values and false discovery rates.

    The null is the mean average precision of random rankings with the same numbers of positives and
    candidates. Queries with the same numbers share their rankings, as in copairs: within a group they share
    their pairs too, and independent draws would make the null too narrow.

    Args:
        retrieval: Result of `average_precision`.
        groups: (N,) as given there; below 0: in no group.
        null_size: Random rankings; no p-value is below 1 / (null_size + 1) (Phipson and Smyth 2010).
        seed: Seed of the rankings.

    Returns:
        Result for each group; groups without a defined query are left out.

    Raises:
        InputError: shapes that do not fit, or null_size below 1.
    """
    if groups.shape != retrieval.average_precision.shape:
        raise InputError(f"groups must have shape {retrieval.average_precision.shape}, got {groups.shape}")
    if null_size < 1:
        raise InputError(f"null_size must be at least 1, got {null_size}")
    defined = np.isfinite(retrieval.average_precision) & (groups >= 0)
    nulls: dict[tuple[int, int], NDArray[np.float64]] = {}
    found, means, p_values, queries, chance, spread = [], [], [], [], [], []
    for group in np.unique(groups[defined]):
        rows = np.flatnonzero(defined & (groups == group))
        null = np.zeros(null_size)
        shapes = np.stack([retrieval.positives[rows], retrieval.candidates[rows]], axis=1)
        for (positives, candidates), repeats in zip(
            *np.unique(shapes, axis=0, return_counts=True), strict=True
        ):
            key = (int(positives), int(candidates))
            if key not in nulls:
                nulls[key] = null_average_precision(*key, null_size=null_size, seed=seed)
            null += nulls[key] * (repeats / len(rows))
        mean = float(np.mean(retrieval.average_precision[rows]))
        found.append(int(group))
        means.append(mean)
        # Means of the same numbers in another order may differ in the last digit.
        p_values.append((np.count_nonzero(null >= mean - 1e-12) + 1) / (null_size + 1))
        queries.append(len(rows))
        chance.append(float(np.mean(null)))
        spread.append(float(np.std(null)))
    p = np.array(p_values, dtype=np.float64)
    return GroupRetrieval(
        np.array(found, np.int64),
        np.array(means, np.float64),
        p,
        np.asarray(false_discovery_control(p), np.float64) if len(p) else p,
        np.array(queries, np.int64),
        np.array(chance, np.float64),
        np.array(spread, np.float64),
    )


def null_average_precision(
    positives: int, candidates: int, *, null_size: int, seed: int
) -> NDArray[np.float64]:
    """Draw the average precision of random rankings.

    Args:
        positives: Positives among the candidates.
        candidates: Length of a ranking.
        null_size: Number of rankings.
        seed: Seed.

    Returns:
        float64 (null_size,).

    Raises:
        InputError: Unless 1 <= positives <= candidates.
    """
    if not 1 <= positives <= candidates:
        raise InputError(f"positives must be 1 to {candidates} (candidates), got {positives}")
    generator = np.random.default_rng((seed, positives, candidates))
    found = np.arange(1, positives + 1)
    ranks = np.empty((null_size, positives), dtype=np.int64)
    if positives * positives <= candidates:
        # Redraw rankings that hold a rank twice: few rounds, and the whole ranking is never held.
        todo = np.arange(null_size)
        while len(todo):
            ranks[todo] = np.sort(generator.integers(1, candidates + 1, (len(todo), positives)), axis=1)
            todo = todo[(np.diff(ranks[todo], axis=1) == 0).any(axis=1)]
    else:
        step = max(1, _RANDOM_VALUES // candidates)
        for start in range(0, null_size, step):
            part = ranks[start : start + step]
            order = generator.random((len(part), candidates)).argpartition(positives - 1, axis=1)
            part[:] = np.sort(order[:, :positives], axis=1) + 1
    return np.asarray(np.mean(found / ranks, axis=1), dtype=np.float64)
