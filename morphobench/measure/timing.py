"""Times measured in turns, so that a noisy machine disturbs all of them alike, and what they come to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from morphobench.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """A value with the bounds of its 95 % interval; NaN bounds where there is too little to tell.

    Attributes:
        value: the estimate.
        low: lower bound.
        high: upper bound.
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def spread(self) -> float:
        """Half the interval's width over the value; infinite without bounds."""
        half = (self.high - self.low) / 2
        return half / abs(self.value) if math.isfinite(half) and self.value else math.inf

    def scaled(self, factor: float) -> Estimate:
        """Multiply value and bounds.

        Args:
            factor: a positive number.

        Returns:
            The scaled interval.
        """
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Timings:
    """Nanoseconds of every callable in every round; round i of one stands beside round i of another.

    Attributes:
        rounds_ns: times by name.
    """

    rounds_ns: Mapping[str, tuple[int, ...]]

    def median_ns(self, name: str) -> float:
        """Take the median over rounds.

        Args:
            name: a callable's.

        Returns:
            Nanoseconds. InputError for an unknown name.
        """
        return median(self._rounds(name))

    def mad_ns(self, name: str) -> float:
        """Take the median absolute deviation over rounds, not scaled to a standard deviation.

        Args:
            name: a callable's.

        Returns:
            Nanoseconds. InputError for an unknown name.
        """
        return mad(self._rounds(name))

    def ratio(self, name: str, *, to: str) -> float:
        """Say how many times as long one callable takes as another.

        Args:
            name: the one.
            to: the other.

        Returns:
            The median of the ratios within each round.
        """
        return self.ratio_interval(name, to=to).value

    def ratio_interval(self, name: str, *, to: str) -> Estimate:
        """Say how many times as long one callable takes as another, and how sure that is.

        Args:
            name: the one.
            to: the other.

        Returns:
            The median of the ratios within each round, with its interval.
        """
        pairs = zip(self._rounds(name), self._rounds(to), strict=True)
        return median_interval([mine / max(theirs, 1) for mine, theirs in pairs])

    def _rounds(self, name: str) -> tuple[int, ...]:
        if name not in self.rounds_ns:
            raise InputError(f"name must be one of {', '.join(self.rounds_ns)}, got {name!r}")
        return self.rounds_ns[name]


def interleaved(
    callables: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 7,
    warmup: int = 1,
    budget_s: float | None = None,
    lead_in: int = 0,
) -> Timings:
    """Call each of several callables once a round, in an order that reverses every round.

    Args:
        callables: what is timed, by name.
        rounds: how many rounds are recorded.
        warmup: how many go unrecorded before.
        budget_s: seconds after which no further round starts (one is always done); None: no limit.
        lead_in: unrecorded calls right before each recorded one, so that what it finds in caches, and
            threads left waiting in a loop (OpenMP's do so for milliseconds), are its own and not its
            neighbour's.

    Returns:
        The times by round.

    Raises:
        InputError: for no callables, ``rounds`` below 1, ``warmup`` or ``lead_in`` below 0.
    """
    if not callables:
        raise InputError("callables must be at least one, got none")
    for name, value, least in (("rounds", rounds, 1), ("warmup", warmup, 0), ("lead_in", lead_in, 0)):
        if value < least:
            raise InputError(f"{name} must be at least {least}, got {value}")
    for _ in range(warmup):
        for function in callables.values():
            function()
    recorded: dict[str, list[int]] = {name: [] for name in callables}
    started = time.perf_counter()
    for number in range(rounds):
        names = list(callables) if number % 2 == 0 else list(callables)[::-1]
        for name in names:
            function = callables[name]
            for _ in range(lead_in):
                function()
            before = time.perf_counter_ns()
            function()
            recorded[name].append(time.perf_counter_ns() - before)
        if budget_s is not None and time.perf_counter() - started > budget_s:
            break
    return Timings({name: tuple(values) for name, values in recorded.items()})


def median(values: Sequence[float]) -> float:
    """Take the median.

    Args:
        values: at least one.

    Returns:
        The median. InputError for no values.
    """
    if len(values) == 0:
        raise InputError("values must be at least one, got none")
    return float(np.median(np.asarray(values, dtype=np.float64)))


def mad(values: Sequence[float]) -> float:
    """Take the median absolute deviation from the median, not scaled.

    Args:
        values: at least one.

    Returns:
        The deviation.
    """
    center = median(values)
    return median([abs(value - center) for value in values])


def median_interval(values: Sequence[float]) -> Estimate:
    """Take the median with its 95 % interval between two of the values, whatever their distribution.

    The number of values below the true median is binomial (n, 1/2); Conover, Practical Nonparametric
    Statistics, section 3.2. Six values are the fewest that give an interval.

    Args:
        values: at least one, independent and alike.

    Returns:
        The median and its interval.
    """
    center, rank = median(values), _rank(len(values))
    if rank is None:
        return Estimate(center)
    ordered = sorted(float(value) for value in values)
    return Estimate(center, ordered[rank], ordered[-1 - rank])


@cache
def _rank(count: int) -> int | None:
    """The largest k for which k or fewer of ``count`` values are below their median in 2.5 % of cases."""
    probability, rank = 0.0, None
    for k in range(count):
        probability += math.comb(count, k) / 2**count
        if probability > 0.025:
            return rank
        rank = k
    return rank
