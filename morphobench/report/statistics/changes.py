"""One figure before and after a change of the code: how much it changed, and whether it is worse; no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from morphobench.measure import Estimate


@dataclass(frozen=True)
class CostFigure:
    """A cost that commits are compared by; smaller is better.

    Attributes:
        threshold: largest ratio new / base that passes.
        judged: whether a larger one fails a comparison; others are shown.
    """

    threshold: float
    judged: bool = True


COSTS = {
    "time": CostFigure(1.08),  # relative to the yardstick, or to a peer, in the same rounds
    "cpu_time": CostFigure(1.10),  # the same of CPU time, where the time was unstable
    "wall_time": CostFigure(1.25, judged=False),  # of machines that may be busier the second time
    "peak_host_memory_bytes": CostFigure(1.10),
    "peak_device_memory_bytes": CostFigure(1.05),
}
"""By name; ``time`` is of machines whose speed was measured beside it."""
LARGEST_CPU_SPREAD = 0.10
"""CPU time is judged where half its interval is at most this share of it. Between two measurements of one
commit, beside a busy process, it varied by 1.4 % (one standard deviation)."""
UNSTABLE = "unstable: not judged"
"""Note of a change that is shown only, for the figure varied too much on one side."""


@dataclass(frozen=True)
class Change:
    """One figure of one setup or benchmark in both.

    Attributes:
        name: setup or benchmark.
        figure: what was measured.
        kind: "cost", with ``change`` new / base, or "quality", with ``change`` new - base.
        base: value before.
        new: value after.
        change: with its 95 % interval; without bounds where there is too little to tell.
        threshold: largest ratio, or largest loss, that passes.
        verdict: "worse", "better" or "".
        note: why it is not judged; empty where it is.
    """

    name: str
    figure: str
    kind: str
    base: float
    new: float
    change: Estimate
    threshold: float
    verdict: str
    note: str = ""

    @property
    def changed(self) -> bool:
        """Whether the interval excludes no change; without one, whether the values differ."""
        same = 1.0 if self.kind == "cost" else 0.0
        if math.isfinite(self.change.low):
            return not self.change.low <= same <= self.change.high
        return self.change.value != same


def ratio_of(new: Estimate, base: Estimate) -> Estimate:
    """Divide two independent estimates.

    The distances to the bounds add up in squares on the logarithms (MOVER; Donner and Zou 2012, Statistical
    Methods in Medical Research 21:347).

    Args:
        new: positive.
        base: positive.

    Returns:
        The ratio; without bounds where one of the two has none.
    """
    ratio = new.value / base.value if base.value else math.inf if new.value else 1.0
    bounds = (new.low, new.high, base.low, base.high)
    if not all(math.isfinite(bound) and bound > 0 for bound in bounds):
        return Estimate(ratio)
    below = math.hypot(math.log(new.value / new.low), math.log(base.high / base.value))
    above = math.hypot(math.log(new.high / new.value), math.log(base.value / base.low))
    return Estimate(ratio, ratio * math.exp(-below), ratio * math.exp(above))


def cost_change(name: str, figure: str, base: Estimate, new: Estimate, tolerance: float | None) -> Change:
    """Compare one cost of one setup or benchmark.

    Args:
        name: setup or benchmark.
        figure: a name of `COSTS`.
        base: value before.
        new: value after.
        tolerance: largest ratio that passes; None: the figure's own.

    Returns:
        The change, judged where the figure is or a tolerance is given.
    """
    known = COSTS[figure]
    threshold = known.threshold if tolerance is None else tolerance
    found = Change(name, figure, "cost", base.value, new.value, ratio_of(new, base), threshold, "")
    if not known.judged and tolerance is None:
        return replace(found, note="no yardstick or peer beside it: not judged")
    ratio = found.change.value
    if not found.changed or 1 / threshold <= ratio <= threshold:
        return found
    return replace(found, verdict="worse" if ratio > 1 else "better")


Sides = Sequence[Estimate | None]
"""A figure before and after; None where it was not measured."""


def time_changes(
    name: str,
    times: Mapping[str, Sides],
    *,
    comparable: bool,
    stable: bool,
    tolerance: float | None,
) -> list[Change]:
    """Compare the time of one setup or benchmark; CPU time in its place where it was unstable on a side.

    Unstable times raised alarms where nothing had changed. CPU time leaves out waiting for other programs.

    Args:
        name: setup or benchmark.
        times: "time" and "cpu_time", both relative to the yardstick, and "wall_time".
        comparable: whether both sides had the same yardstick.
        stable: whether the time was stable on both sides.
        tolerance: largest ratio that passes; None: each figure's own.

    Returns:
        The change of the time, or of the wall time where no yardstick stood beside both. An unstable one is
        not judged; the change of CPU time follows it where that is known. Empty where nothing was measured.
    """
    figure = "time" if comparable and None not in times["time"] else "wall_time"
    base, new = times[figure]
    if base is None or new is None:
        return []
    change = cost_change(name, figure, base, new, tolerance)
    if stable:
        return [change]
    changes = [replace(change, verdict="", note=UNSTABLE)]
    base, new = times["cpu_time"]
    if comparable and base is not None and new is not None:
        change = cost_change(name, "cpu_time", base, new, tolerance)
        varied = max(base.spread, new.spread) > LARGEST_CPU_SPREAD
        changes.append(replace(change, verdict="", note=UNSTABLE) if varied else change)
    return changes
