"""Paired comparisons of setups, with Holm's correction and effect sizes; no I/O.

Setups are compared within blocks (seeds, cell lines, data sets): what makes a block easy or hard for all of
them drops out of the differences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.auc import Draws
from morphobench.evaluation.bootstrap.interval import from_draws
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.types import Direction, Float64Array

MIN_INTERVAL_BLOCKS = 3
"""Fewest blocks for an interval or a p-value of a mean difference: two give one degree of freedom."""


@dataclass(frozen=True)
class Comparison:
    """``one`` against ``other`` over ``blocks`` paired values.

    ``difference``: mean of one - other, with its interval (``low``, ``high``); ``p``: two-sided;
    ``p_holm``: corrected for all comparisons made together; ``effect``: Hedges' g of the paired
    differences; ``better``: share of blocks in which ``one`` is better, ties half; ``p_signs``: of
    :func:`sign_flip_p`, uncorrected, which assumes no distribution. Where there are too few
    blocks, NaN, and ``reason`` says so.
    """

    one: str
    other: str
    blocks: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    effect: float
    better: float
    reason: str = ""
    p_signs: float = math.nan


def holm(p: Sequence[float] | Float64Array) -> Float64Array:
    """Adjust p-values for making several tests (Holm 1979, Scandinavian Journal of Statistics 6:65).

    Args:
        p: The p-values; NaN (no test was made) stays NaN and does not count among the tests.

    Returns:
        Adjusted p-values, step-down, in the order given.
    """
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, math.nan)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted


def mean_interval(values: Float64Array, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """Student's interval of a mean, and its p-value against 0 (scipy.stats.ttest_1samp).

    Args:
        values: (B,) one per block.
        confidence: confidence level.

    Returns:
        Low, high and two-sided p; all NaN below MIN_INTERVAL_BLOCKS values. Without any spread the interval
        is the mean itself, and p is 0, or 1 for a mean of 0.
    """
    if len(values) < MIN_INTERVAL_BLOCKS:
        return math.nan, math.nan, math.nan
    if np.ptp(values) == 0:
        mean = float(values[0])
        return mean, mean, float(mean == 0)
    tested = stats.ttest_1samp(values, 0.0)
    low, high = tested.confidence_interval(confidence)
    return float(low), float(high), float(tested.pvalue)


def hedges_g(differences: Float64Array) -> float:
    """Effect size of paired differences: mean over standard deviation, corrected for few blocks.

    Hedges 1981, Journal of Educational Statistics 6:107: d_z times 1 - 3 / (4 (B - 1) - 1).

    Args:
        differences: (B,) paired differences.

    Returns:
        The effect size; NaN below MIN_INTERVAL_BLOCKS blocks, infinite where all differences are the same
        but 0.
    """
    count = len(differences)
    if count < MIN_INTERVAL_BLOCKS:
        return math.nan
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation == 0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / deviation * (1 - 3 / (4 * (count - 1) - 1))


def sign_flip_p(differences: Float64Array, *, permutations: int = 10_000, seed: int = 0) -> float:
    """Two-sided p-value of a mean paired difference, each sign a coin toss under the null.

    SciPy's ``permutation_test`` of paired samples: exact over all 2^B signs up to ``permutations`` of them,
    else from that many random ones. Assumes no distribution, but cannot fall below 2 / 2^B: 0.25 for three
    blocks.

    Args:
        differences: (B,) paired differences.
        permutations: most sign patterns that are tried.
        seed: seed of the random patterns.

    Returns:
        The p-value; NaN for no differences.
    """
    if not len(differences):
        return math.nan
    if len(differences) == 1:
        return 1.0  # both signs give the same absolute mean; SciPy asks for two values
    tested = stats.permutation_test(
        (differences, np.zeros_like(differences)),
        lambda one, other, axis: np.mean(one - other, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=permutations,
        rng=np.random.default_rng(seed),
    )
    return float(tested.pvalue)


def compare(
    values: Float64Array,
    names: Sequence[str],
    *,
    direction: Direction = "up",
    reference: str | None = None,
    unit: str = "block",
    confidence: float = 0.95,
) -> list[Comparison]:
    """Compare K setups pairwise over B blocks.

    p-values are of the paired t test, which agrees with the interval, corrected by Holm over all comparisons.

    Args:
        values: (B, K), NaN where a setup has none in a block.
        names: (K,) names of the setups.
        direction: Which way is better; for the share of blocks alone.
        reference: Compare every other setup with this one; None: all pairs.
        unit: What a block is, singular.
        confidence: Confidence level.

    Returns:
        One comparison a pair.

    Raises:
        InputError: Shapes that do not fit, or an unknown reference.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise InputError(f"values must be (blocks, {len(names)}), got {values.shape}")
    if reference is not None and reference not in names:
        raise InputError(f"reference must be one of {', '.join(names)}, got {reference!r}")
    if reference is None:
        pairs = list(combinations(range(len(names)), 2))
    else:
        pairs = [(k, list(names).index(reference)) for k in range(len(names)) if names[k] != reference]
    differences = [values[:, one] - values[:, other] for one, other in pairs]
    differences = [each[np.isfinite(each)] for each in differences]
    tested = [mean_interval(each, confidence=confidence) for each in differences]
    adjusted = holm([p for _, _, p in tested])
    return [
        Comparison(
            names[one],
            names[other],
            len(each),
            float(each.mean()) if len(each) else math.nan,
            low,
            high,
            p,
            float(corrected),
            hedges_g(each),
            share_better(each, direction=direction),
            _reason(len(each), len(values), unit),
            sign_flip_p(each) if len(each) >= MIN_INTERVAL_BLOCKS else math.nan,
        )
        for (one, other), each, (low, high, p), corrected in zip(
            pairs, differences, tested, adjusted, strict=True
        )
    ]


def _reason(paired: int, blocks: int, unit: str) -> str:
    """Why there is no interval of a mean difference; empty: there is one."""
    if paired >= MIN_INTERVAL_BLOCKS:
        return ""
    if paired == blocks:
        return str(Reason.too_few(unit, paired, MIN_INTERVAL_BLOCKS))
    if not paired:
        return f"no {unit} gives both a value"
    return f"{paired} of {blocks} {unit}s give both a value, at least {MIN_INTERVAL_BLOCKS} needed"


def compare_over_groups(
    draws: Draws, names: Sequence[str], *, reference: str, unit: str, confidence: float = 0.95
) -> list[Comparison]:
    """Compare setups with a reference over plates or wells.

    Intervals are expanded percentiles of the paired differences, p-values of the t distribution with the
    resamples' standard error, corrected by Holm. The effect size is the difference over the standard
    deviation between single groups that this error stands for.

    Args:
        draws: AUC of the setups in joint resamples of plates or wells (``roc_auc_draws``).
        names: (K,) names of the setups.
        reference: The setup that the others are compared with.
        unit: What was resampled, "plate" or "well".
        confidence: Confidence level.

    Returns:
        One comparison for every other setup; ``better`` is the share of resamples in which it is better.

    Raises:
        InputError: An unknown reference.
    """
    if reference not in names:
        raise InputError(f"reference must be one of {', '.join(names)}, got {reference!r}")
    base = list(names).index(reference)
    units = draws.units
    found = []
    for k, name in enumerate(names):
        if k == base:
            continue
        estimate = float(draws.estimates[k] - draws.estimates[base])
        drawn = draws.drawn[:, k] - draws.drawn[:, base]
        one = from_draws(estimate, drawn, units=units, confidence=confidence, unit=unit)
        error = error_of_draws(drawn, units)
        effect = estimate / (error * math.sqrt(units)) if one and error else math.nan
        p = p_of_draws(estimate, drawn, units) if one else math.nan
        better = share_better(drawn[np.isfinite(drawn)])
        reason = str(one.reason or "")
        found.append(
            Comparison(
                name, reference, units, estimate, one.low, one.high, p, math.nan, effect, better, reason
            )
        )
    corrected = holm([one.p for one in found])
    return [replace(one, p_holm=float(p)) for one, p in zip(found, corrected, strict=True)]


def error_of_draws(drawn: Float64Array, units: int) -> float:
    """Standard error that resamples of groups show, corrected for the plug-in's factor sqrt((n-1)/n).

    Args:
        drawn: (R,) values in the resamples.
        units: Number n of groups.

    Returns:
        The standard error.
    """
    return float(np.nanstd(drawn, ddof=1)) * math.sqrt(units / max(units - 1, 1))


def p_of_draws(estimate: float, drawn: Float64Array, units: int) -> float:
    """Two-sided p-value of an estimate against 0: t distribution with ``units`` - 1 degrees of freedom.

    Args:
        estimate: The estimate.
        drawn: (R,) values in the resamples.
        units: Number of groups.

    Returns:
        The p-value.
    """
    error = error_of_draws(drawn, units)
    return float(2 * stats.t.sf(abs(estimate) / error, units - 1)) if error else float(estimate == 0)


def share_better(differences: Float64Array, *, direction: Direction = "up") -> float:
    """Share of differences that are better, ties half.

    Args:
        differences: (B,) paired differences.
        direction: Which way is better.

    Returns:
        The share; NaN for no differences or no direction.
    """
    if not len(differences) or direction == "none":
        return math.nan
    signed = differences if direction == "up" else -differences
    return float(np.mean((signed > 0) + 0.5 * (signed == 0)))
