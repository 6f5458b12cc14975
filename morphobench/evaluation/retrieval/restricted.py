"""Retrieval in which some profiles may not be candidates: not of the same well, plate, batch; arrays only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import digamma

from morphobench.evaluation import distances
from morphobench.evaluation.retrieval.average_precision import null_average_precision
from morphobench.evaluation.retrieval.checks import check_rows
from morphobench.types import Float32Array, Float64Array, Int64Array

_NULL_SIZE = 200  # random rankings that the standard deviation is computed from


def restricted_average_precision(
    profiles: Float32Array, labels: Int64Array, apart: Sequence[Int64Array], *, metric: str = "cosine"
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Measure how well each profile retrieves its label among the profiles that it may be compared with.

    Positives and negatives alike must differ from the query in every array of ``apart``, so that a plate or
    batch effect can neither help nor hurt. Ties are broken against the query.

    Args:
        profiles: (N, D) finite.
        labels: (N,) label numbers; below 0: neither query nor candidate.
        apart: Arrays (N,), such as wells, plates or batches; below 0: unknown, differs from all.
        metric: One of `distances.METRICS`.

    Returns:
        Average precision (N,), NaN where a profile is no query or has nothing to find; the expectation of
        random rankings of the same size, and their standard deviation.

    Raises:
        InputError: Shapes that do not fit.
    """
    check_rows(profiles, labels=labels, **{f"apart[{i}]": codes for i, codes in enumerate(apart)})
    found, chance, deviation = np.full((3, len(profiles)), np.nan)
    known = np.flatnonzero(labels >= 0)
    if len(known) < 2:
        return found, chance, deviation
    spread: dict[tuple[int, int], float] = {}
    for top, block in distances.pairwise_blocks(profiles[known], profiles[known], metric):
        block[np.isnan(block)] = 1  # a profile without direction is orthogonal to all
        for offset, row in enumerate(block):
            query = known[top + offset]
            admissible = known != query
            for codes in apart:
                if codes[query] >= 0:
                    admissible &= codes[known] != codes[query]
            positive = admissible & (labels[known] == labels[query])
            candidates, hits = int(admissible.sum()), int(positive.sum())
            if not 0 < hits < candidates:
                continue
            order = np.lexsort((positive[admissible], row[admissible]))
            ranks = np.flatnonzero(positive[admissible][order]) + 1
            found[query] = np.mean(np.arange(1, hits + 1) / ranks)
            chance[query] = expected_average_precision(hits, candidates)
            if (hits, candidates) not in spread:
                drawn = null_average_precision(hits, candidates, null_size=_NULL_SIZE, seed=0)
                spread[hits, candidates] = float(drawn.std())
            deviation[query] = spread[hits, candidates]
    return found, chance, deviation


def expected_average_precision(positives: int, candidates: int) -> float:
    """Compute the expected average precision of a random ranking.

    The candidate at rank k is a positive with probability P / C, and of those before it a share
    r = (P - 1) / (C - 1) is positive too; the sum over k gives r + (1 - r) H_C / C with the harmonic number.

    Args:
        positives: P, at least 1.
        candidates: C, above P.

    Returns:
        0 to 1.
    """
    share = (positives - 1) / (candidates - 1)
    harmonic = float(digamma(candidates + 1) + np.euler_gamma)
    return share + (1 - share) * harmonic / candidates
