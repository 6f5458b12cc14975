"""Effects of paradigm, augmentation and cropping on a metric, and their interactions, with intervals; no I/O.

The study is a full factorial: paradigms x augmentation (no, yes) x cropping (one, multi). An effect is a
contrast of the setups' values, so "multi-crops generally help" is one number: the mean over all paradigms,
with and without augmentation, of multi-crop minus one crop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.auc import Draws
from morphobench.evaluation.bootstrap.interval import from_draws
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.report.statistics.comparisons import MIN_INTERVAL_BLOCKS, holm, mean_interval, p_of_draws
from morphobench.run.record import split_name
from morphobench.setups import SETTINGS
from morphobench.types import Direction, Float64Array


@dataclass(frozen=True)
class Contrast:
    """An effect as weights (K,) on the setups; ``pairs`` (first, second) are the differences it averages."""

    name: str
    kind: str
    weights: Float64Array
    pairs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Effect:
    """One effect on a metric, in its unit.

    ``kind``: "main", "interaction", "within" (a main effect inside one paradigm) or "paradigm" (against the
    mean of all). ``low``, ``high``: interval; ``p_holm``: corrected over all effects of a ``kind``;
    ``wins`` of ``of``: in how many of the pairs that the effect averages the second setting is better (0 of
    0 where it averages none). ``units``: what was resampled or is the error's unit. Without enough units
    NaN, and ``reason`` says so.
    """

    name: str
    kind: str
    estimate: float
    low: float
    high: float
    p: float
    p_holm: float
    wins: int
    of: int
    units: str
    reason: str = ""


def complete_paradigms(names: Sequence[str]) -> tuple[str, ...]:
    """Find the paradigms that have all four settings.

    Args:
        names: Names of setups.

    Returns:
        The paradigms, in order of appearance.
    """
    groups = dict.fromkeys(split_name(name)[0] for name in names)
    return tuple(g for g in groups if all(f"{g}/{setting}" in names for setting in SETTINGS))


def contrasts(paradigms: Sequence[str]) -> tuple[list[str], list[Contrast]]:
    """Make all contrasts of a factorial of paradigms, augmentation and cropping.

    - augmentation, multi-crop: yes minus no, the mean over everything else;
    - augmentation x multi-crop: the effect of multi-crop with augmentation minus without;
    - a paradigm: its mean minus the mean of all (with two or more paradigms);
    - augmentation or multi-crop in a paradigm: the effect inside it;
    - paradigm x factor: the effect inside the paradigm minus the mean effect;
    - paradigm x augmentation x multi-crop: the same for the interaction.

    Args:
        paradigms: The paradigms.

    Returns:
        Names of the setups (K = 4 per paradigm, in order), and the contrasts.
    """
    names = [f"{paradigm}/{setting}" for paradigm in paradigms for setting in SETTINGS]
    aug = np.asarray([-1.0, 1.0, -1.0, 1.0])  # in the order of SETTINGS
    crop = np.asarray([-1.0, -1.0, 1.0, 1.0])
    factors = {"augmentation": aug / 2, "multi-crop": crop / 2, "augmentation × multi-crop": aug * crop}
    steps = {"augmentation": ((0, 1), (2, 3)), "multi-crop": ((0, 2), (1, 3))}
    count = len(paradigms)
    found = []
    for factor, weights in factors.items():
        every = np.tile(weights, count) / count
        pairs = tuple((4 * i + a, 4 * i + b) for i in range(count) for a, b in steps.get(factor, ()))
        found.append(Contrast(factor, "main" if factor in steps else "interaction", every, pairs))
        for i, paradigm in enumerate(paradigms if count > 1 else ()):
            inside = np.zeros(4 * count)
            inside[4 * i : 4 * i + 4] = weights
            if factor in steps:
                own = tuple((4 * i + a, 4 * i + b) for a, b in steps[factor])
                found.append(Contrast(f"{factor} in {paradigm}", "within", inside, own))
            found.append(Contrast(f"{paradigm} × {factor}", "interaction", inside - every))
    for i, paradigm in enumerate(paradigms if count > 1 else ()):
        against = np.full(4 * count, -1 / (4 * count))
        against[4 * i : 4 * i + 4] += 1 / 4
        found.append(Contrast(paradigm, "paradigm", against))
    return names, found


def effects_over_blocks(
    values: Float64Array,
    names: Sequence[str],
    *,
    direction: Direction = "up",
    unit: str = "seed",
    confidence: float = 0.95,
) -> list[Effect]:
    """Compute all effects from values in blocks, each block a full factorial.

    An effect is computed in each block; Student's interval over blocks follows, so that errors may differ
    between setups and be shared within a block. Paradigms without all four settings, and blocks with a NaN,
    are left out.

    Args:
        values: (B, K) values.
        names: (K,) names of the setups.
        direction: Which way is better.
        unit: What a block is, singular.
        confidence: Confidence level.

    Returns:
        One effect a contrast.

    Raises:
        InputError: Nothing is left.
    """
    values, made = _arranged(values, names)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        raise InputError("values must hold at least one block with every setup, got none")
    blocks = len(values)
    few = blocks < MIN_INTERVAL_BLOCKS
    reason = str(Reason.too_few(unit, blocks, MIN_INTERVAL_BLOCKS)) if few else ""
    found = []
    for contrast in made:
        per_block = values @ contrast.weights
        low, high, p = mean_interval(per_block, confidence=confidence)
        wins, of = _wins(values.mean(axis=0), contrast, direction)
        estimate = float(per_block.mean())
        found.append(
            Effect(
                contrast.name,
                contrast.kind,
                estimate,
                low,
                high,
                p,
                math.nan,
                wins,
                of,
                _units(blocks, unit),
                reason,
            )
        )
    return _corrected(found)


def effects_over_groups(
    draws: Draws, names: Sequence[str], *, unit: str, direction: Direction = "up", confidence: float = 0.95
) -> list[Effect]:
    """Compute all effects from AUCs in resamples of plates or wells.

    Every setup of a resample sees the same plates, so what plates do to all setups drops out. Intervals are
    expanded percentiles; p-values are of the t distribution with the resamples' standard error. They hold
    for the networks as trained; how training varies is what seeds show.

    Args:
        draws: AUC of the setups in joint resamples (``roc_auc_draws``).
        names: (K,) names of the setups.
        unit: What was resampled, "plate" or "well".
        direction: Which way is better.
        confidence: Confidence level.

    Returns:
        One effect a contrast.
    """
    estimates, made = _arranged(draws.estimates[None, :], names)
    drawn, _ = _arranged(draws.drawn, names)
    units = draws.units
    found = []
    for contrast in made:
        estimate, each = float(estimates[0] @ contrast.weights), drawn @ contrast.weights
        one = from_draws(estimate, each, units=units, confidence=confidence, unit=unit)
        p = p_of_draws(estimate, each, units) if one else math.nan
        wins, of = _wins(estimates[0], contrast, direction)
        found.append(
            Effect(
                contrast.name,
                contrast.kind,
                estimate,
                one.low,
                one.high,
                p,
                math.nan,
                wins,
                of,
                _units(units, unit),
                str(one.reason or ""),
            )
        )
    return _corrected(found)


def explained(values: Float64Array, names: Sequence[str]) -> dict[str, float]:
    """Share of the spread between setups (eta squared) that each factor and interaction explains.

    From means over blocks; the design is balanced, so the parts are orthogonal and sum to 1.

    Args:
        values: (B, K) values.
        names: (K,) names of the setups.

    Returns:
        Share by factor; empty where all setups are equal.
    """
    arranged, _ = _arranged(values, names)
    cells = np.nanmean(arranged, axis=0).reshape(-1, 2, 2)  # paradigm, cropping, augmentation
    rest = cells - cells.mean()
    if not rest.any():
        return {}
    paradigm, crop, aug = (rest.mean(axis=over, keepdims=True) for over in ((1, 2), (0, 2), (0, 1)))
    by_crop, by_aug, both = (
        rest.mean(axis=2, keepdims=True) - paradigm - crop,
        rest.mean(axis=1, keepdims=True) - paradigm - aug,
        rest.mean(axis=0, keepdims=True) - crop - aug,
    )
    parts = {
        "paradigm": paradigm,
        "augmentation": aug,
        "multi-crop": crop,
        "paradigm × augmentation": by_aug,
        "paradigm × multi-crop": by_crop,
        "augmentation × multi-crop": both,
        "paradigm × augmentation × multi-crop": rest - paradigm - crop - aug - by_crop - by_aug - both,
    }
    total = float(np.sum(rest**2))
    return {
        name: float(np.sum(np.broadcast_to(part, rest.shape) ** 2)) / total for name, part in parts.items()
    }


def _arranged(values: Float64Array, names: Sequence[str]) -> tuple[Float64Array, list[Contrast]]:
    """The columns of the factorial's setups in its order, and its contrasts."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise InputError(f"values must be (blocks, {len(names)}), got {values.shape}")
    paradigms = complete_paradigms(names)
    if not paradigms:
        raise InputError(f"names must hold all four settings of a paradigm, got {', '.join(names)}")
    wanted, made = contrasts(paradigms)
    place = {name: k for k, name in enumerate(names)}
    return values[:, [place[name] for name in wanted]], made


def _wins(means: Float64Array, contrast: Contrast, direction: Direction) -> tuple[int, int]:
    if direction == "none":
        return 0, 0
    sign = 1 if direction == "up" else -1
    return sum(sign * (means[b] - means[a]) > 0 for a, b in contrast.pairs), len(contrast.pairs)


def _units(count: int, unit: str) -> str:
    return f"{count} {unit}{'s' * (count != 1)}"


def _corrected(found: list[Effect]) -> list[Effect]:
    """Holm's correction within each kind of effect."""
    corrected = list(found)
    for kind in dict.fromkeys(one.kind for one in found):
        members = [i for i, one in enumerate(found) if one.kind == kind]
        for i, p in zip(members, holm([found[i].p for i in members]), strict=True):
            corrected[i] = replace(found[i], p_holm=float(p))
    return corrected
