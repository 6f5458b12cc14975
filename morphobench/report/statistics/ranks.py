"""Mean ranks of setups over blocks: Friedman's test and the critical difference of Nemenyi; no I/O.

Demšar 2006, Journal of Machine Learning Research 7:1, section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.types import Direction, Float64Array

MIN_RANKED_BLOCKS = 5
"""Fewest blocks for ranks to be compared; with fewer, hardly any difference could pass."""


@dataclass(frozen=True)
class Ranking:
    """Mean ranks of K setups, best (1) first.

    ``p``: of Friedman's test in Iman and Davenport's form, that all setups rank alike.
    ``critical_difference``: mean ranks that are further apart differ at the test's level. ``groups``:
    longest runs of setups, as first and last position, of which no two differ. NaN and none where there are
    too few blocks; ``reason`` says so.
    """

    names: tuple[str, ...]
    ranks: tuple[float, ...]
    blocks: int
    p: float
    critical_difference: float
    groups: tuple[tuple[int, int], ...]
    confidence: float
    reason: str = ""


def rank(
    values: Float64Array, names: Sequence[str], *, direction: Direction = "up", confidence: float = 0.95
) -> Ranking:
    """Rank K setups in each of B blocks (cell lines, data sets); ties share their mean rank.

    Args:
        values: (B, K) values; blocks with a NaN are left out.
        names: (K,) names of the setups.
        direction: Which way is better.
        confidence: Confidence level of the critical difference.

    Returns:
        Mean ranks, best first.

    Raises:
        InputError: Fewer than two setups, or a metric without a direction.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(names) or len(names) < 2:
        raise InputError(f"values must be (blocks, {len(names)}) of at least two setups, got {values.shape}")
    if direction == "none":
        raise InputError("direction must be up or down to rank by, got 'none'")
    values = values[np.isfinite(values).all(axis=1)]
    blocks, setups = values.shape
    ranked = stats.rankdata(-values if direction == "up" else values, axis=1) if blocks else values
    means = ranked.mean(axis=0) if blocks else np.full(setups, math.nan)
    order = np.argsort(means, kind="stable")
    enough = blocks >= MIN_RANKED_BLOCKS
    difference = critical_difference(setups, blocks, confidence=confidence) if enough else math.nan
    ordered = means[order]
    return Ranking(
        tuple(names[k] for k in order),
        tuple(float(value) for value in ordered),
        blocks,
        friedman_p(ranked) if enough else math.nan,
        difference,
        indistinct(ordered, difference) if enough else (),
        confidence,
        "" if enough else str(Reason.too_few("block", blocks, MIN_RANKED_BLOCKS)),
    )


def friedman_p(ranked: Float64Array) -> float:
    """p-value that K setups rank alike in B blocks.

    Friedman's chi-square with its correction for ties, then Iman and Davenport's F, which is less
    conservative (Communications in Statistics A9:571, 1980).

    Args:
        ranked: (B, K) ranks with ties at their mean.

    Returns:
        The p-value; 1 where every block ties all setups.
    """
    blocks, setups = ranked.shape
    between = blocks * float(np.sum((ranked.mean(axis=0) - (setups + 1) / 2) ** 2))
    spread = float(np.sum((ranked - (setups + 1) / 2) ** 2)) / (blocks * (setups - 1))
    if spread == 0:
        return 1.0
    chi2 = between / spread
    rest = blocks * (setups - 1) - chi2
    if rest <= 1e-12 * chi2:
        return 0.0  # every block ranks the setups alike
    f = (blocks - 1) * chi2 / rest
    return float(stats.f.sf(f, setups - 1, (setups - 1) * (blocks - 1)))


def critical_difference(setups: int, blocks: int, *, confidence: float = 0.95) -> float:
    """Nemenyi's critical difference: q sqrt(K (K + 1) / (6 B)), q of the studentized range over sqrt(2).

    Args:
        setups: Number K of setups.
        blocks: Number B of blocks.
        confidence: Confidence level.

    Returns:
        Mean ranks that are further apart differ.
    """
    q = float(stats.studentized_range.ppf(confidence, setups, np.inf)) / math.sqrt(2)
    return q * math.sqrt(setups * (setups + 1) / (6 * blocks))


def indistinct(ranks: Float64Array, difference: float) -> tuple[tuple[int, int], ...]:
    """Find the longest runs of sorted mean ranks within a difference.

    Args:
        ranks: (K,) mean ranks, ascending.
        difference: The critical difference.

    Returns:
        First and last position of each run of two and more.
    """
    runs: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = int(np.searchsorted(ranks, ranks[first] + difference, side="right")) - 1
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return tuple(runs)
