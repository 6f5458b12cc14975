"""Steps of several setups timed in rounds: each in a living process of its own, one computing at a time.

A machine's speed drifts, and other programs disturb it, by more than setups differ. So each round lets every
setup take a short turn, in an order drawn anew; setups are compared within rounds, where they met the same
machine; and rounds go on until the intervals are narrow, or a budget is spent. Times that remain uncertain
are called unstable.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from morphobench.errors import InputError
from morphobench.measure.counters import Counters, used
from morphobench.measure.isolation import Remote, find
from morphobench.measure.memory import (
    current_host_memory_bytes,
    peak_device_memory,
    peak_host_memory_bytes,
)
from morphobench.measure.timing import Estimate, median, median_interval
from morphobench.types import Float64Array

UNSTABLE = 0.05
"""A time is unstable where half its 95 % interval is more than this share of it."""
_FEWEST = 6  # rounds that give an interval of a median


class Steps(Protocol):
    """What a process of the rounds holds."""

    def step(self) -> object:
        """Take one step, and return when it is done, on a device too."""


@dataclass(frozen=True)
class RoundPlan:
    """How long rounds go on.

    Attributes:
        rounds: fewest rounds; at least 6, or times have no interval.
        most: most rounds.
        budget_s: seconds after which no further round starts once there are 6; None: no limit.
        spread: rounds end where half of every time's interval is at most this share of the time.
        turn_s: a turn takes as many steps as last this long, at least one.
        settled: a process is warm when two turns in a row were not faster than the fastest before by this
            share.
        seed: of the order of turns.
    """

    rounds: int = 12
    most: int = 60
    budget_s: float | None = None
    spread: float = 0.02
    turn_s: float = 0.05
    settled: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.rounds <= self.most:
            raise InputError(f"rounds must be at least 1 and at most {self.most}, got {self.rounds}")


class Stepper:
    """The object that a process of the rounds serves: it takes turns and reads counters around them.

    Args:
        target: what makes the ``Steps``, as "package.module:callable".
        kwargs: its arguments.
        device: what it computes on.
    """

    def __init__(self, *, target: str, kwargs: Mapping[str, Any], device: str = "cpu") -> None:
        self._counters = Counters(device)  # before any thread is made, so that all are counted
        self._device, self._libraries = device, current_host_memory_bytes()
        self._steps: Steps = find(target)(**kwargs)
        self._made = current_host_memory_bytes()

    def turn(self, *, steps: int) -> dict[str, float | None]:
        """Take steps.

        Args:
            steps: how many.

        Returns:
            ``wall_ns`` and what ``Counters.read`` names, each per step.
        """
        before, start = self._counters.read(), time.perf_counter_ns()
        for _ in range(steps):
            self._steps.step()
        wall_ns = time.perf_counter_ns() - start
        counted = used(before, self._counters.read())
        return {name: None if n is None else n / steps for name, n in {"wall_ns": wall_ns, **counted}.items()}

    def memory(self) -> dict[str, int | None]:
        """Read this process's memory, with what libraries and data took before the first step apart.

        Returns:
            ``host_memory_of_libraries_bytes``, ``host_memory_before_training_bytes`` (with data and
            networks), ``peak_host_memory_bytes``, and the device's peaks; None where not known.
        """
        device = peak_device_memory(self._device)
        return {
            "host_memory_of_libraries_bytes": self._libraries,
            "host_memory_before_training_bytes": self._made,
            "peak_host_memory_bytes": peak_host_memory_bytes(),
            "peak_device_memory_bytes": None if device is None else device.allocated_bytes,
            "peak_device_memory_reserved_bytes": None if device is None else device.reserved_bytes,
        }

    def ask(self, *, method: str, **kwargs: Any) -> Any:
        """Call a method of the work.

        Args:
            method: its name.
            **kwargs: its arguments.

        Returns:
            Its value.
        """
        return getattr(self._steps, method)(**kwargs)


@dataclass(frozen=True)
class RoundTimes:
    """What every turn took, per step; round i of one stands beside round i of another.

    Attributes:
        turns: by name, one dictionary for each round, as ``Stepper.turn`` returns them.
        steps: steps of a turn by name.
        warm_up: turns by name that were taken before and do not count.
    """

    turns: Mapping[str, tuple[Mapping[str, float | None], ...]]
    steps: Mapping[str, int]
    warm_up: Mapping[str, int]

    @property
    def rounds(self) -> int:
        """How many rounds there were."""
        return min(len(turns) for turns in self.turns.values())

    def values(self, name: str, what: str = "wall_ns") -> tuple[float, ...] | None:
        """Give what one setup's turns took.

        Args:
            name: the setup.
            what: "wall_ns" or another of the counters.

        Returns:
            One value per step for each round; None where it was not measured.
        """
        found = [value for turn in self.turns[name] if (value := turn.get(what)) is not None]
        return tuple(found) if len(found) == len(self.turns[name]) else None

    def time(self, name: str, what: str = "wall_ns") -> Estimate:
        """Estimate what a setup's step takes, on the machine as it was in the middle of the measurement.

        The logarithm of a time is taken as the setup's plus the round's: what made a round slow for all is
        taken off each. So the ratio of two setups' estimates is that of times within rounds.

        Args:
            name: the setup.
            what: "wall_ns" or another of the counters.

        Returns:
            The median over rounds with its interval; NaN where it was not measured.
        """
        names = [one for one in self.turns if self.values(one, what) is not None]
        if name not in names:
            return Estimate(math.nan)
        logs = np.log(np.array([self.values(one, what) for one in names], dtype=np.float64))
        own = logs[names.index(name)]
        shared = _round_effects(logs)
        # What one setup deviates by is part of its round's mean: with few setups, less of it is left.
        scale = math.sqrt(len(names) / (len(names) - 1)) if len(names) > 1 else 1.0
        residuals = own - shared if len(names) > 1 else own
        center = median(list(residuals))
        found = median_interval(list(center + scale * (residuals - center)))
        level = float(np.median(shared)) if len(names) > 1 else 0.0
        return Estimate(*(math.exp(bound + level) for bound in (found.value, found.low, found.high)))

    def ratio(self, name: str, *, to: str, what: str = "wall_ns") -> Estimate:
        """Say how many times as long one setup's step takes as another's.

        Args:
            name: the one.
            to: the other.
            what: "wall_ns" or another of the counters.

        Returns:
            The median of the ratios within rounds with its interval; NaN where it was not measured.
        """
        mine, theirs = self.values(name, what), self.values(to, what)
        if mine is None or theirs is None:
            return Estimate(math.nan)
        return median_interval([one / other for one, other in zip(mine, theirs, strict=True)])

    def unstable_reason(self, name: str) -> str:
        """Say why a setup's time cannot be relied on.

        Args:
            name: the setup.

        Returns:
            The reason; empty for a stable time.
        """
        if self.rounds < _FEWEST:
            return f"{self.rounds} rounds, at least {_FEWEST} needed for an interval"
        spread = self.time(name).spread
        if spread <= UNSTABLE:
            return ""
        return f"95 % interval of ±{100 * spread:.0f} %, at most ±{100 * UNSTABLE:.0f} % allowed"


@contextmanager
def steppers(works: Mapping[str, tuple[str, Mapping[str, Any]]], *, device: str = "cpu") -> Iterator[Any]:
    """Start a process for each of several works; leaving the block ends them.

    Args:
        works: by name what makes the work, as "package.module:callable", and its arguments.
        device: what they compute on.

    Yields:
        A ``Remote`` of a ``Stepper`` by name.
    """
    with ExitStack() as stack:
        made = {}
        for name, (target, kwargs) in works.items():
            arguments = {"target": target, "kwargs": dict(kwargs), "device": device}
            made[name] = stack.enter_context(Remote(f"{__name__}:Stepper", arguments, wait=False))
        for one in made.values():  # they load and prepare side by side
            one.ready()
        yield made


def time_in_rounds(remotes: Mapping[str, Remote], plan: RoundPlan) -> RoundTimes:
    """Warm every process up, then let them take turns, one at a time.

    Args:
        remotes: what ``steppers`` yields.
        plan: how long it goes on.

    Returns:
        What every turn took.

    Raises:
        InputError: for no processes.
    """
    if not remotes:
        raise InputError("remotes must be at least one process, got none")
    steps, warm_up = {}, {}
    for name, remote in remotes.items():
        fastest_ns, warm_up[name] = _warmed_up(remote, plan)
        steps[name] = max(1, math.ceil(plan.turn_s * 1e9 / fastest_ns))
    names, random = list(remotes), np.random.default_rng(plan.seed)
    turns: dict[str, list[dict[str, float | None]]] = {name: [] for name in names}
    started = time.perf_counter()
    for number in range(1, plan.most + 1):
        for index in random.permutation(len(names)):
            name = names[index]
            turns[name].append(remotes[name].call("turn", steps=steps[name]))
        found = RoundTimes({name: tuple(values) for name, values in turns.items()}, steps, warm_up)
        spent_s = time.perf_counter() - started
        if plan.budget_s is not None and spent_s > plan.budget_s and number >= min(_FEWEST, plan.rounds):
            break
        if number >= plan.rounds and all(found.time(name).spread <= plan.spread for name in names):
            break
    return found


def _warmed_up(remote: Remote, plan: RoundPlan) -> tuple[float, int]:
    """Turns of one step until they stop getting faster: the fastest one's time, and how many there were."""
    fastest, unchanged, turns = math.inf, 0, 0
    while unchanged < 2 and turns < plan.most:
        wall_ns = float(remote.call("turn", steps=1)["wall_ns"])
        unchanged = 0 if wall_ns < fastest * (1 - plan.settled) else unchanged + 1
        fastest, turns = min(fastest, wall_ns), turns + 1
    return fastest, turns


def _round_effects(logs: Float64Array) -> Float64Array:
    """By round, what it adds to the logarithms (setups, rounds) of all setups: (rounds,).

    The median over setups of what each deviates by from its own median, so that a disturbance of one turn
    moves nothing else.
    """
    levels = np.median(logs, axis=1, keepdims=True)
    effects: Float64Array = np.median(logs - levels, axis=0)
    return effects
