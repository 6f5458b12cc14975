"""Times of several callables measured in turns, so that a noisy machine disturbs all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from morphobench.errors import InputError


@dataclass(frozen=True)
class Timings:
    """Nanoseconds of every callable in every round; round i of one stands beside round i of another."""

    rounds_ns: Mapping[str, tuple[int, ...]]

    def median_ns(self, name: str) -> float:
        """The median over rounds."""
        return median(self._rounds(name))

    def mad_ns(self, name: str) -> float:
        """The median absolute deviation over rounds (not scaled to a standard deviation)."""
        return mad(self._rounds(name))

    def ratio(self, name: str, *, to: str) -> float:
        """How many times faster ``to`` is than ``name``: the median of the ratios within each round."""
        pairs = zip(self._rounds(name), self._rounds(to), strict=True)
        return median([mine / max(theirs, 1) for mine, theirs in pairs])

    def _rounds(self, name: str) -> tuple[int, ...]:
        if name not in self.rounds_ns:
            raise InputError(f"name: one of {', '.join(self.rounds_ns)} wanted, got {name!r}")
        return self.rounds_ns[name]


def interleaved(
    callables: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 7,
    warmup: int = 1,
    budget_s: float | None = None,
    lead_in: int = 0,
) -> Timings:
    """Call each of ``callables`` once a round, in an order that reverses every round.

    ``warmup`` rounds go unrecorded; after ``budget_s`` seconds no further round starts (one is always done).
    ``lead_in``: unrecorded calls right before each recorded one, so that what it finds in caches, and threads
    left waiting in a loop (OpenMP's do so for milliseconds), are its own and not its neighbour's. InputError
    for no callables, ``rounds`` below 1, ``warmup`` or ``lead_in`` below 0.
    """
    if not callables:
        raise InputError("callables: at least one wanted, got none")
    if rounds < 1:
        raise InputError(f"rounds: at least 1 wanted, got {rounds}")
    if warmup < 0:
        raise InputError(f"warmup: 0 or more wanted, got {warmup}")
    if lead_in < 0:
        raise InputError(f"lead_in: 0 or more wanted, got {lead_in}")
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
    """The median; InputError for no values."""
    if len(values) == 0:
        raise InputError("values: at least one wanted, got none")
    return float(np.median(np.asarray(values, dtype=np.float64)))


def mad(values: Sequence[float]) -> float:
    """The median absolute deviation from the median, not scaled."""
    center = median(values)
    return median([abs(value - center) for value in values])
