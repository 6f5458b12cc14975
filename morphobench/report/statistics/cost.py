"""What the rounds of a cost measurement come to: per setup, and self-supervised against the others."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.report.statistics.comparisons import mean_interval
from morphobench.run.record import split_name
from morphobench.training.convergence import Plateau

CLAIM = 11.0
"""How many times faster self-supervised training is said to be, at most, by the study."""
FAST = "self_supervised"


@dataclass(frozen=True)
class SetupCost:
    """One setup over its rounds.

    ``epoch_s``: seconds of an epoch (feeding and steps) in each of the shared rounds; ``time_per_epoch_s``
    their geometric mean. ``converged_epoch``: None where the cap or the budget came first, after
    ``epochs`` epochs. Memory: the largest over rounds; ``training_memory_bytes`` is what training added
    to the process. NaN for what is not known.
    """

    setup: str
    epoch_s: tuple[float, ...]
    time_per_epoch_s: Interval
    time_per_image_ns: float
    time_per_view_ns: float
    peak_host_memory_bytes: float
    training_memory_bytes: float
    peak_device_memory_bytes: float
    peak_device_memory_reserved_bytes: float
    epochs: int
    converged_epoch: int | None

    @property
    def epochs_counted(self) -> int:
        """Epochs to convergence; those that were trained where it did not converge."""
        return self.epochs if self.converged_epoch is None else self.converged_epoch

    @property
    def time_to_convergence_s(self) -> float:
        """Epochs x time per epoch; at least this where it did not converge."""
        return self.epochs_counted * self.time_per_epoch_s.estimate


@dataclass(frozen=True)
class Ratio:
    """How many times as long ``other`` takes as ``fast``; above 1: ``fast`` is faster.

    ``bound``: "", or "at least", "at most" or "unknown" where the slower, the faster or both had not
    converged.
    """

    fast: str
    other: str
    ratio: Interval
    bound: str = ""


@dataclass(frozen=True)
class Claim:
    """The ratios within each setting, by epoch or to convergence, and the largest of them."""

    by: str
    ratios: tuple[Ratio, ...]

    @property
    def largest(self) -> Ratio | None:
        """The largest ratio that is known; None without one."""
        known = [ratio for ratio in self.ratios if ratio.bound != "unknown"]
        return max(known, key=lambda one: one.ratio.estimate, default=None)

    @property
    def verdict(self) -> str:
        """Whether the largest ratio reaches the study's 11, as far as its interval tells."""
        largest = self.largest
        if largest is None:
            return "undecided: no ratio is known"
        low = largest.ratio.low
        high = max(one.ratio.high for one in self.ratios if one.bound != "unknown")
        if not math.isfinite(low):
            return "undecided: fewer than three rounds give no interval"
        if low >= CLAIM and largest.bound != "at most":
            return "yes"
        complete = all(ratio.bound in ("", "at most") for ratio in self.ratios)
        if high < CLAIM and complete:
            return "no"
        return "undecided: an interval holds 11" if complete else "undecided: not every setup converged"


def finite(value: Any) -> float:
    """Read a number of a measurement.

    Args:
        value: any JSON value.

    Returns:
        The number; NaN for null and everything that is no finite number.
    """
    # a whole number may be larger than any float
    return float(value) if isinstance(value, int | float) and abs(value) <= sys.float_info.max else math.nan


def setup_costs(measured: Mapping[str, Any]) -> list[SetupCost]:
    """Merge the rounds of each setup.

    Args:
        measured: What ``run.cost.rounds.measure_cost`` returned.

    Returns:
        One per setup, in the order asked for.

    Raises:
        InputError: A setup has no complete set of shared rounds yet.
    """
    options = measured["options"]
    plateau = Plateau(options["improvement"], options["patience"])
    timing = measured.get("timing") or {}  # measurements before November 2026 timed no steps in turns
    return [
        _with_timing(
            _setup_cost(
                setup, [r for r in measured["records"] if r["setup"] == setup], options["rounds"], plateau
            ),
            timing.get(setup) or {},
        )
        for setup in options["setups"]
    ]


def _with_timing(cost: SetupCost, timing: Mapping[str, Any]) -> SetupCost:
    """The cost with its step's time from turns with all setups, where there is one."""
    time_ns = finite(timing.get("time_per_view_ns"))
    return replace(cost, time_per_view_ns=time_ns) if math.isfinite(time_ns) else cost


def _setup_cost(setup: str, records: Sequence[Mapping[str, Any]], rounds: int, plateau: Plateau) -> SetupCost:
    ordered = sorted(records, key=lambda record: int(record["round"]))
    if [record["round"] for record in ordered[:rounds]] != list(range(rounds)):
        raise InputError(f"records must hold {rounds} rounds of {setup}, got {len(ordered)}")
    epochs = [epoch for record in ordered for epoch in record["epochs"]]
    shared = ordered[:rounds]
    epoch_s = tuple(float(np.mean([e["seconds"] for e in record["epochs"]])) for record in shared)
    per_epoch = geometric(epoch_s)
    images = epochs[0]["images_per_s"] * epochs[0]["seconds"]

    def most(key: str) -> float:
        return max((v for r in ordered if math.isfinite(v := finite(r.get(key)))), default=math.nan)

    added = [
        finite(r.get("peak_host_memory_bytes")) - finite(r.get("host_memory_before_training_bytes"))
        for r in ordered
    ]
    steps = [v for r in shared if math.isfinite(v := finite(r.get("time_per_view_ns")))]
    return SetupCost(
        setup=setup,
        epoch_s=epoch_s,
        time_per_epoch_s=per_epoch,
        time_per_image_ns=per_epoch.estimate * 1e9 / images,
        time_per_view_ns=geometric(steps).estimate if steps else math.nan,
        peak_host_memory_bytes=most("peak_host_memory_bytes"),
        training_memory_bytes=max((v for v in added if math.isfinite(v)), default=math.nan),
        peak_device_memory_bytes=most("peak_device_memory_bytes"),
        peak_device_memory_reserved_bytes=most("peak_device_memory_reserved_bytes"),
        epochs=len(epochs),
        converged_epoch=plateau.epoch([epoch["validation"]["loss"] for epoch in epochs]),
    )


def geometric(values: Sequence[float]) -> Interval:
    """Geometric mean with Student's interval of the mean of the logarithms.

    Args:
        values: Positive values, one a round.

    Returns:
        The mean with its 95 % interval; NaN bounds for too few values.
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    low, high, _ = mean_interval(logs)
    return Interval(
        float(np.exp(logs.mean())), float(np.exp(low)), float(np.exp(high)), len(logs), unit="round"
    )


def claims(costs: Sequence[SetupCost]) -> tuple[Claim, Claim]:
    """Compare self-supervised with every other paradigm within each setting: per epoch, and to convergence.

    Ratios are taken within rounds, where both sides met the same load of the machine. Those to convergence
    are the same times the ratio of the epochs needed.

    Args:
        costs: Costs of the setups.

    Returns:
        The claim by epoch and the claim to convergence.
    """
    by_name = {cost.setup: cost for cost in costs}
    pairs = [
        (by_name[f"{FAST}/{setting}"], cost)
        for cost in costs
        for paradigm, setting in [split_name(cost.setup)]
        if paradigm != FAST and f"{FAST}/{setting}" in by_name
    ]
    per_epoch = tuple(
        Ratio(fast.setup, other.setup, _within_rounds(fast, other, 1.0)) for fast, other in pairs
    )
    to_convergence = tuple(
        Ratio(
            fast.setup,
            other.setup,
            _within_rounds(fast, other, other.epochs_counted / fast.epochs_counted),
            _bound(fast, other),
        )
        for fast, other in pairs
    )
    return Claim("epoch", per_epoch), Claim("convergence", to_convergence)


def _within_rounds(fast: SetupCost, other: SetupCost, factor: float) -> Interval:
    ratios = [theirs / ours for ours, theirs in zip(fast.epoch_s, other.epoch_s, strict=True)]
    found = geometric(ratios)
    return replace(found, estimate=found.estimate * factor, low=found.low * factor, high=found.high * factor)


def _bound(fast: SetupCost, other: SetupCost) -> str:
    if other.converged_epoch is None:
        return "unknown" if fast.converged_epoch is None else "at least"
    return "at most" if fast.converged_epoch is None else ""
