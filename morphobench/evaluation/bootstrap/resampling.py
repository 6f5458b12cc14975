"""Units that an interval resamples (plates, wells, ...), and intervals of sums over units.

A resample is how often each unit was drawn: one row of an (R, G) matrix. The contribution of each unit is
summed once; a resample then costs one row of a matrix product, and no task is run again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # scipy.stats would take every process half a second to load

from morphobench.evaluation.bootstrap.auc import name_wells_by_plate
from morphobench.evaluation.bootstrap.interval import (
    Interval,
    bootstrap_interval,
    draw_weights,
    encode_groups,
    from_draws,
    group_strata,
    no_interval,
    units_needed,
)
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.types import Float64Array, Int64Array

RESAMPLES = 1000
MIN_UNITS_SKEWED = 12
"""Fewest units for the mean of skewed values: with 6, its 95 % intervals contained the truth in 75 to 89 % of
cases."""


@dataclass(frozen=True)
class Units:
    """Units that are resampled.

    Attributes:
        code: Number of each row's unit, 0 to ``count`` - 1, int64 (N,).
        count: Number of units G.
        layers: Unit numbers of each stratum; units are drawn within strata.
        unit: Name of a unit, singular ("plate").
    """

    code: Int64Array
    count: int
    layers: tuple[Int64Array, ...]
    unit: str

    @classmethod
    def of(
        cls, names: Sequence[Any] | NDArray[Any], unit: str, *, strata: NDArray[Any] | None = None
    ) -> Units:
        """Make one unit per distinct name.

        Args:
            names: (N,) name of each row's unit.
            unit: What a unit is, singular.
            strata: (N,) strata to draw within; ignored where a unit lies in more than one stratum.

        Returns:
            The units.
        """
        names = np.asarray(names, dtype=object)
        found, code = encode_groups(names, arrays=(names,))
        if strata is not None:
            pairs = np.unique(np.stack([code, np.unique(strata.astype(str), return_inverse=True)[1]]), axis=1)
            strata = strata if pairs.shape[1] == len(found) else None
        layers = group_strata(code, None if strata is None else strata.astype(str))
        return cls(code, len(found), tuple(layers), unit)

    @property
    def smallest(self) -> int:
        """Number of units of the smallest stratum."""
        return min(len(layer) for layer in self.layers)

    def weights(self, *, seed: int, resamples: int = RESAMPLES) -> Float64Array:
        """Draw resamples.

        Args:
            seed: Seed.
            resamples: Number of resamples R.

        Returns:
            How often each unit is drawn in each resample, (R, G).
        """
        return draw_weights(self.layers, resamples=resamples, seed=seed).astype(np.float64)

    def sums(self, values: NDArray[Any]) -> Float64Array:
        """Sum values by unit.

        Args:
            values: (N, ...).

        Returns:
            (G, ...).
        """
        total = np.zeros((self.count, *np.shape(values)[1:]))
        np.add.at(total, self.code, np.asarray(values, dtype=np.float64))
        return total

    def interval(self, estimate: float, at: Callable[[Float64Array], Float64Array], *, seed: int) -> Interval:
        """Expanded percentile interval of a function of the weights.

        Args:
            estimate: Value of the statistic on the data.
            at: Function from weights (R, G) to values (R,).
            seed: Seed of the resamples.

        Returns:
            95 % interval, or the reason why there is none.
        """
        return bootstrap_interval(
            lambda weights: at(weights.astype(np.float64)),
            estimate,
            self.layers,
            resamples=RESAMPLES,
            seed=seed,
            confidence=0.95,
            method="percentile",
            unit=self.unit,
        )

    def from_draws(self, estimate: float, drawn: Float64Array) -> Interval:
        """Expanded percentile interval from a statistic's values in resamples of these units.

        Args:
            estimate: Value of the statistic on the data.
            drawn: (R,) its values in the resamples.

        Returns:
            95 % interval, or the reason why there is none.
        """
        if not math.isfinite(estimate):
            return no_interval(estimate, Reason("undefined_statistic"))
        return from_draws(estimate, drawn, units=self.smallest, unit=self.unit)


def plates_or_wells(
    plates: NDArray[Any] | None,
    wells: NDArray[Any] | None,
    *,
    strata: NDArray[Any] | None = None,
) -> Units | Reason:
    """Choose the units: plates where there are enough of them, else wells.

    Plates are drawn whatever they hold; wells, which as a rule hold one stratum each, within ``strata``.

    Args:
        plates: (N,) plate of each row; None: unknown.
        wells: (N,) well of each row; None: unknown.
        strata: (N,) strata for wells.

    Returns:
        The units, or the reason why neither can be resampled.
    """
    reason: Reason | None = None
    needed = units_needed(0.95)
    for unit, names in (("plate", plates), ("well", name_wells_by_plate(plates, wells))):
        if names is None or not len(names):
            continue
        found = Units.of(names, unit, strata=None if unit == "plate" else strata)
        if found.smallest >= needed:
            return found
        few = Reason.too_few(unit, found.smallest, needed)
        reason = few if reason is None else reason.join(few)
    return reason or Reason("unknown_units")


def mean_interval(values: NDArray[Any], units: Units, *, seed: int, least_error: float = 0.0) -> Interval:
    """Interval of the mean of values in 0 to 1 of which few may be large, as average precisions are.

    Student's interval of the mean's logit, with the standard error that resampled units show. On such values
    it contains the truth as often as percentiles of resamples do, and more often near 1. Both fail for few
    units, so `MIN_UNITS_SKEWED` of them are needed.

    Args:
        values: (N,) values.
        units: Unit of each value.
        seed: Seed of the resamples.
        least_error: Lower bound of the mean's standard error; a sample without its rare large values would
            give too small a one.

    Returns:
        95 % interval, or the reason why there is none.
    """
    values = np.asarray(values, dtype=np.float64)
    mean, count = float(values.mean()), units.smallest
    plain = Interval(mean, math.nan, math.nan, count, unit=units.unit)
    if count < MIN_UNITS_SKEWED:
        return replace(plain, reason=Reason.too_few(units.unit, count, MIN_UNITS_SKEWED))
    if not 0 < mean < 1:
        return share_interval(values, units, seed=seed)
    weights = units.weights(seed=seed)
    drawn = divide_defined(weights @ units.sums(values), weights @ units.sums(np.ones(len(values))))
    error = max(float(np.nanstd(drawn)) * math.sqrt(count / (count - 1)), least_error)
    half = float(stdtrit(count - 1, 0.975)) * error / (mean * (1 - mean))
    middle = math.log(mean / (1 - mean))
    low, high = (1 / (1 + math.exp(-bound)) for bound in (middle - half, middle + half))
    return replace(plain, low=low, high=high)


def share_interval(hits: NDArray[Any], units: Units, *, seed: int) -> Interval:
    """Interval of a share, which may be near 0 or 1.

    Wilson's interval with the effective number of trials: as many as would vary by chance as much as the
    share does when units are resampled (Korn and Graubard 1998, Survey Methodology 24:193), at most the
    number of values, or of units where no resample varies.

    Args:
        hits: (N,) of 0 and 1.
        units: Unit of each value.
        seed: Seed of the resamples.

    Returns:
        95 % interval, or the reason why there is none.
    """
    values = np.asarray(hits, dtype=np.float64)
    if not len(values):
        return no_interval(math.nan, Reason("undefined_statistic"))
    share, needed = float(values.mean()), units_needed(0.95)
    if units.smallest < needed:
        reason = Reason.too_few(units.unit, units.smallest, needed)
        return replace(no_interval(share, reason), units=units.smallest, unit=units.unit)
    weights = units.weights(seed=seed)
    drawn = divide_defined(weights @ units.sums(values), weights @ units.sums(np.ones(len(values))))
    spread = float(np.nanvar(drawn)) * units.smallest / (units.smallest - 1)
    trials = float(units.count)
    if spread > 0:
        trials = min(max(share * (1 - share) / spread, 1.0), float(len(values)))
    t = float(stdtrit(units.smallest - 1, 0.975))
    middle = (share + t**2 / (2 * trials)) / (1 + t**2 / trials)
    half = t * math.sqrt(share * (1 - share) / trials + t**2 / (4 * trials**2)) / (1 + t**2 / trials)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), units.smallest, unit=units.unit)


def divide_defined(part: Any, whole: Any) -> Any:
    """Divide, with NaN where the divisor is not positive.

    Args:
        part: Number or array.
        whole: Number or array that broadcasts with it.

    Returns:
        float, or an array of the common shape.
    """
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    found = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, math.nan), where=whole > 0)
    return float(found) if found.ndim == 0 else found


def median_defined(values: Float64Array) -> Float64Array:
    """Median over the last axis, leaving NaN out.

    Args:
        values: (..., N).

    Returns:
        (...); NaN where all values are.
    """
    defined = np.isfinite(values)
    ordered = np.sort(np.where(defined, values, np.inf), axis=-1)
    count = defined.sum(axis=-1)
    low, high = (np.maximum(count - 1, 0) // 2)[..., None], (count // 2)[..., None]
    high = np.minimum(high, values.shape[-1] - 1)
    middle = (np.take_along_axis(ordered, low, -1) + np.take_along_axis(ordered, high, -1))[..., 0] / 2
    return np.where(count > 0, middle, math.nan)
