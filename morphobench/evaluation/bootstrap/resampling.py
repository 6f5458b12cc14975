"""What an interval resamples (plates, wells, ...), and intervals of statistics that are sums over such units.

A resample is how often each unit was drawn, a row of (R, G) numbers. What a unit contributes is counted once;
a resample then costs one row of a matrix product, and no task is run again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from morphobench.evaluation.bootstrap.auc import within
from morphobench.evaluation.bootstrap.interval import (
    Interval,
    coded,
    draw_weights,
    from_draws,
    interval,
    strata_of,
    units_needed,
)
from morphobench.types import Float64Array, Int64Array

RESAMPLES = 1000
MIN_UNITS_SKEWED = 12
"""Fewest units for the mean of skewed values: from 6 its 95 % intervals held the truth in 75 to 89 % of
cases."""

_UNKNOWN = "neither plates nor wells are known"


@dataclass(frozen=True)
class Units:
    """``code`` (N,): the unit of each row, 0 .. ``count`` - 1; ``layers``: the units drawn within each
    stratum; ``unit``: what they are ("plate").
    """

    code: Int64Array
    count: int
    layers: tuple[Int64Array, ...]
    unit: str

    @classmethod
    def of(
        cls, names: Sequence[Any] | NDArray[Any], unit: str, *, strata: NDArray[Any] | None = None
    ) -> Units:
        """One unit per name (N,), drawn within ``strata`` (N,) where each unit has but one stratum."""
        found, code = coded(np.asarray(names, dtype=object), arrays=(np.asarray(names, dtype=object),))
        if strata is not None:
            pairs = np.unique(np.stack([code, np.unique(strata.astype(str), return_inverse=True)[1]]), axis=1)
            strata = strata if pairs.shape[1] == len(found) else None
        layers = strata_of(code, None if strata is None else strata.astype(str))
        return cls(code, len(found), tuple(layers), unit)

    @property
    def smallest(self) -> int:
        """Units of the smallest stratum."""
        return min(len(layer) for layer in self.layers)

    def weights(self, *, seed: int, resamples: int = RESAMPLES) -> Float64Array:
        """How often each unit is drawn in each resample, (R, G)."""
        return draw_weights(self.layers, resamples=resamples, seed=seed).astype(np.float64)

    def sums(self, values: NDArray[Any]) -> Float64Array:
        """``values`` (N, ...) added up by unit, (G, ...)."""
        total = np.zeros((self.count, *np.shape(values)[1:]))
        np.add.at(total, self.code, np.asarray(values, dtype=np.float64))
        return total

    def interval(self, estimate: float, at: Callable[[Float64Array], Float64Array], *, seed: int) -> Interval:
        """The expanded percentile interval of what ``at`` makes of weights (R, G) to (R,)."""
        found = interval(
            lambda weights: at(weights.astype(np.float64)),
            estimate,
            self.layers,
            resamples=RESAMPLES,
            seed=seed,
            confidence=0.95,
            method="percentile",
        )
        return self.named(found)

    def from_draws(self, estimate: float, drawn: Float64Array) -> Interval:
        """The same from the statistic's values (R,) in resamples of these units."""
        if not math.isfinite(estimate):
            return none(estimate, "the statistic itself is undefined on these data")
        return self.named(from_draws(estimate, drawn, units=self.smallest))

    def named(self, found: Interval) -> Interval:
        """``found`` with these units' name."""
        return replace(found, unit=self.unit, reason=found.reason.replace("group", self.unit))


def none(estimate: float, reason: str) -> Interval:
    """No interval, and why."""
    return Interval(estimate, math.nan, math.nan, 0, reason=reason)


def plates_or_wells(
    plates: NDArray[Any] | None,
    wells: NDArray[Any] | None,
    *,
    strata: NDArray[Any] | None = None,
) -> Units | str:
    """Plates where there are enough of them, else wells, drawn within ``strata``; why neither can be.

    Plates are drawn together whatever they hold; wells as a rule hold one stratum each.
    """
    reasons = []
    for unit, names in (("plate", plates), ("well", within(plates, wells))):
        if names is None or not len(names):
            continue
        found = Units.of(names, unit, strata=None if unit == "plate" else strata)
        if found.smallest >= units_needed(0.95):
            return found
        reasons.append(f"{found.smallest} {unit}{'s' * (found.smallest != 1)}")
    if not reasons:
        return _UNKNOWN
    return f"{'; '.join(reasons)}; at least {units_needed(0.95)} needed"


def mean_interval(values: NDArray[Any], units: Units, *, seed: int, least_error: float = 0.0) -> Interval:
    """Of the mean of ``values`` (N,) in 0..1 of which few may be large, as average precisions are.

    Student's interval of the mean's logit, with the error that units drawn again show: on such values it
    holds the truth as often as resamples' percentiles do, and oftener near 1. Both fail for few units, so
    MIN_UNITS_SKEWED of them are needed. ``least_error``: what is known of the mean's standard error; a sample
    without its rare large values would make it too small.
    """
    values = np.asarray(values, dtype=np.float64)
    mean, count = float(values.mean()), units.smallest
    plain = replace(none(mean, ""), units=count, unit=units.unit)
    if count < MIN_UNITS_SKEWED:
        return replace(plain, reason=f"{count} {units.unit}s, at least {MIN_UNITS_SKEWED} needed")
    if not 0 < mean < 1:
        return share_interval(values, units, seed=seed)
    weights = units.weights(seed=seed)
    drawn = divided(weights @ units.sums(values), weights @ units.sums(np.ones(len(values))))
    error = max(float(np.nanstd(drawn)) * math.sqrt(count / (count - 1)), least_error)
    half = float(stats.t.ppf(0.975, count - 1)) * error / (mean * (1 - mean))
    middle = math.log(mean / (1 - mean))
    low, high = (1 / (1 + math.exp(-bound)) for bound in (middle - half, middle + half))
    return replace(plain, low=low, high=high)


def share_interval(hits: NDArray[Any], units: Units, *, seed: int) -> Interval:
    """Of the mean of ``hits`` (N,) of 0 / 1, for shares that may be near 0 or 1.

    Wilson's interval with as many trials as would vary by chance as much as the share does when units are
    drawn again (the effective sample size of Korn and Graubard 1998, Survey Methodology 24:193), at most
    the number of hits or misses asked, and of units where none varies.
    """
    values = np.asarray(hits, dtype=np.float64)
    if not len(values):
        return none(math.nan, "the statistic itself is undefined on these data")
    share, needed = float(values.mean()), units_needed(0.95)
    if units.smallest < needed:
        plain = none(share, f"{units.smallest} {units.unit}s, at least {needed} needed")
        return replace(plain, units=units.smallest, unit=units.unit)
    weights = units.weights(seed=seed)
    drawn = divided(weights @ units.sums(values), weights @ units.sums(np.ones(len(values))))
    spread = float(np.nanvar(drawn)) * units.smallest / (units.smallest - 1)
    trials = float(units.count)
    if spread > 0:
        trials = min(max(share * (1 - share) / spread, 1.0), float(len(values)))
    t = float(stats.t.ppf(0.975, units.smallest - 1))
    middle = (share + t**2 / (2 * trials)) / (1 + t**2 / trials)
    half = t * math.sqrt(share * (1 - share) / trials + t**2 / (4 * trials**2)) / (1 + t**2 / trials)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), units.smallest, unit=units.unit)


def divided(part: Any, whole: Any) -> Any:
    """``part`` / ``whole``, NaN where there is nothing to divide by."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    found = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, math.nan), where=whole > 0)
    return float(found) if found.ndim == 0 else found


def median_defined(values: Float64Array) -> Float64Array:
    """The median over the last axis, NaN left out; NaN where all are."""
    defined = np.isfinite(values)
    ordered = np.sort(np.where(defined, values, np.inf), axis=-1)
    count = defined.sum(axis=-1)
    low, high = (np.maximum(count - 1, 0) // 2)[..., None], (count // 2)[..., None]
    high = np.minimum(high, values.shape[-1] - 1)
    middle = (np.take_along_axis(ordered, low, -1) + np.take_along_axis(ordered, high, -1))[..., 0] / 2
    return np.where(count > 0, middle, math.nan)
