"""Which setup to take, why, how sure that is, and what it will cost; no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from morphobench._util.text import printable
from morphobench.errors import InputError
from morphobench.report.statistics.columns import Column, metric_columns, primary
from morphobench.report.statistics.comparisons import Comparison
from morphobench.report.statistics.gain import UNTRAINED, Gain, learning_gains
from morphobench.report.statistics.pairing import Pairing, Tables
from morphobench.report.statistics.table import Row, build_rows, is_better
from morphobench.run.record import Record

STUDY_EPOCHS = 50
_CHEAP = 0.5
"""A setup is called cheaper where it takes at most this share of the choice's time."""
_UNITS_SHOWN = 1000


@dataclass(frozen=True)
class Candidate:
    """A trained setup with its quality and what it would cost.

    Attributes:
        setup: its name.
        quality: the metric that decides, mean over seeds.
        low: lower bound of its own interval; NaN without one.
        high: upper bound of it.
        hours: predicted training time for the images and epochs asked for; NaN where time is not known.
        memory_bytes: peak host memory, or device memory where a device was used; NaN where not known.
        fits: whether it keeps the limits asked for.
        undominated: whether no other candidate that fits is at least as good, as fast and as small, and
            better in one of these.
        baseline: compared with the best baseline; None without baselines.
        gain: what training has changed; None where the same encoder untrained was not run.
    """

    setup: str
    quality: float
    low: float
    high: float
    hours: float
    memory_bytes: float
    fits: bool = True
    undominated: bool = False
    baseline: Comparison | None = None
    gain: Gain | None = None


@dataclass(frozen=True)
class Decision:
    """The answer to "which setup should I take?".

    Attributes:
        column: the metric that decides; None where the run has none.
        choice: the setup to take; None where none beats the best baseline, or none keeps the limits.
        leader: the candidate with the best value, whether or not it is the choice.
        candidates: every trained setup, best first.
        untrained: the leader compared with the untrained encoder; None where it was not run.
        cheaper: a candidate that costs at most half the choice's time and cannot be told from it in quality.
        cheaper_against: that candidate compared with the choice.
        share_first: share of resamples (or seeds) in which the leader is the best of all that fit.
        over: what comparisons are over, such as "12 plates".
        images: images that costs are predicted for.
        epochs: epochs that costs are predicted for.
        machine: processor and device that the times are from.
        changes: what would have to change for a clearer answer.
    """

    column: Column | None = None
    choice: Candidate | None = None
    leader: Candidate | None = None
    candidates: tuple[Candidate, ...] = ()
    untrained: Comparison | None = None
    cheaper: Candidate | None = None
    cheaper_against: Comparison | None = None
    share_first: float = math.nan
    over: str = ""
    images: int | None = None
    epochs: int | None = None
    machine: str = ""
    changes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        choice, leader = (None if one is None else one.setup for one in (self.choice, self.leader))
        return f"Decision(choice={choice!r}, leader={leader!r}, candidates={len(self.candidates)})"

    @property
    def undominated(self) -> tuple[Candidate, ...]:
        """The candidates that no other one beats in everything, best first."""
        return tuple(one for one in self.candidates if one.undominated)


@dataclass(frozen=True)
class Limits:
    """What training may cost, and what the costs are predicted for.

    Attributes:
        max_minutes: longest training time, in minutes; None: no limit.
        max_memory_gb: largest memory, in GB (10^9 bytes); None: no limit.
        images: images that are trained on; None: the run's training images.
        epochs: epochs that are trained; None: the run's.
    """

    max_minutes: float | None = None
    max_memory_gb: float | None = None
    images: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"--{name.replace('_', '-')} must be more than 0, got {value:g}")


def recommend(
    records: Sequence[Record],
    *,
    max_minutes: float | None = None,
    max_memory_gb: float | None = None,
    images: int | None = None,
    epochs: int | None = None,
    predictions: Tables | None = None,
    known: Mapping[str, Column] | None = None,
) -> Decision:
    """Choose a setup.

    Args:
        records: records of one run.
        max_minutes: longest training time, in minutes.
        max_memory_gb: largest memory, in GB (10^9 bytes).
        images: number of images that it will be trained on (default: the run's training images).
        epochs: number of epochs (default: the run's).
        predictions: tables "classification.predictions" by setup and seed, for paired intervals over plates
            or wells; without them comparisons are over seeds.
        known: what is known of metrics (default: what the evaluation declares).

    Returns:
        The decision.

    Raises:
        InputError: for limits that are not positive.
    """
    limits = Limits(max_minutes, max_memory_gb, images, epochs)
    metrics = metric_columns(records, known=known)
    pairing = Pairing.of(records, metrics, predictions or {})
    return decide(records, pairing, metrics, limits)


def decide(
    records: Sequence[Record], pairing: Pairing, metrics: Sequence[Column], limits: Limits | None = None
) -> Decision:
    """Choose a setup from comparisons that are already made.

    Args:
        records: records of one run.
        pairing: what its setups are compared by.
        metrics: its quality columns.
        limits: of the costs; None: no limits.

    Returns:
        The decision: the best setup that keeps the limits and whose paired interval of the difference from
        the best baseline excludes zero.
    """
    column = primary(metrics)
    trained = [record for record in records if not record.is_baseline and not record.is_external]
    if column is None or not trained:
        return Decision()
    limits = _as_in_the_run(limits or Limits(), trained)
    reference = pairing.best_baseline(column)
    against = {} if reference is None else {one.one: one for one in pairing.against(reference, column)}
    rows = [row for row in build_rows(records, [column], {}) if row.is_trained]
    gains = {one.setup: one for one in learning_gains(records, pairing, [column])}
    names = {printable(record.setup): record.setup for record in trained}
    found = [
        replace(
            _candidate(row, column, against.get(names[row.name]), limits), gain=gains.get(names[row.name])
        )
        for row in rows
        if math.isfinite(row.cells[column.key].value)
    ]
    found = _mark_undominated(found, column.sign)
    found = sorted(found, key=lambda one: (not one.fits, -column.sign * one.quality))
    fitting = [one for one in found if one.fits]
    winners = [one for one in fitting if one.baseline and is_better(one.baseline, column.direction)]
    leader = next(iter(winners or fitting), None)
    choice = winners[0] if winners else None
    untrained = cheaper = None
    share = math.nan
    if leader is not None:
        name = names[leader.setup]
        encoder = name.partition("@")[2]
        start = f"{UNTRAINED}@{encoder}" if encoder else UNTRAINED
        if start in pairing.setups:
            (untrained,) = pairing.against(start, column, [name])
        share = pairing.share_first(name, [names[one.setup] for one in fitting], column)
    if choice is not None:
        cheaper = _as_good_and_cheaper(choice, winners, column, pairing, names)
    return Decision(
        column,
        choice,
        leader,
        tuple(found),
        untrained,
        cheaper[0] if cheaper else None,
        cheaper[1] if cheaper else None,
        share,
        pairing.blocks(column),
        limits.images,
        limits.epochs,
        _machine(trained),
        tuple(_changes(leader, trained, column)) if choice is None else (),
    )


def _as_in_the_run(limits: Limits, trained: Sequence[Record]) -> Limits:
    """Images and epochs that were not asked for are those of the run."""
    return replace(
        limits,
        images=limits.images or max((r.split.images.get("train", 0) for r in trained), default=0) or None,
        epochs=limits.epochs or max((r.epochs or 0 for r in trained), default=0) or None,
    )


def _candidate(row: Row, column: Column, baseline: Comparison | None, limits: Limits) -> Candidate:
    cell = row.cells[column.key]
    time, host, device = (
        row.cells[key].value
        for key in ("time_per_image_ns", "peak_host_memory_bytes", "peak_device_memory_bytes")
    )
    hours = time * limits.images * limits.epochs / 3600e9 if limits.images and limits.epochs else math.nan
    memory = device if math.isfinite(device) else host
    # what is not known keeps no limit
    fits = (limits.max_minutes is None or hours * 60 <= limits.max_minutes) and (
        limits.max_memory_gb is None or memory / 1e9 <= limits.max_memory_gb
    )
    return Candidate(row.name, cell.value, cell.low, cell.high, hours, memory, fits, baseline=baseline)


def _mark_undominated(found: Sequence[Candidate], sign: int) -> list[Candidate]:
    def measures(one: Candidate) -> tuple[float, ...]:
        costs = (one.hours, one.memory_bytes)
        return (sign * one.quality, *(-cost if math.isfinite(cost) else -math.inf for cost in costs))

    def dominated(one: Candidate) -> bool:
        own = measures(one)
        others = [measures(other) for other in found if other.fits and other is not one]
        return any(all(a >= b for a, b in zip(o, own, strict=True)) and o != own for o in others)

    return [replace(one, undominated=one.fits and not dominated(one)) for one in found]


def _as_good_and_cheaper(
    choice: Candidate,
    winners: Sequence[Candidate],
    column: Column,
    pairing: Pairing,
    names: Mapping[str, str],
) -> tuple[Candidate, Comparison] | None:
    """The cheapest that also beats the best baseline and whose difference from the choice may be zero."""
    cheap = [one for one in winners if one.hours <= _CHEAP * choice.hours]
    if not cheap:
        return None
    compared = pairing.against(names[choice.setup], column, [names[one.setup] for one in cheap])
    by_name = {one.one: one for one in compared}
    alike = [
        (one, found)
        for one in cheap
        if math.isfinite((found := by_name[names[one.setup]]).low) and found.low <= 0 <= found.high
    ]
    return min(alike, key=lambda pair: pair[0].hours, default=None)


def _machine(records: Sequence[Record]) -> str:
    parts = dict.fromkeys(
        f"{made.cpu or 'unknown processor'}, {made.threads or '?'} thread{'s' * (made.threads != 1)}"
        + (f", {made.device}" if made.device not in (None, "cpu") else "")
        for made in (record.environment for record in records)
    )
    return printable(" or ".join(parts))


def _changes(leader: Candidate | None, records: Sequence[Record], column: Column) -> list[str]:
    """What would make an answer likelier, from what the run lacks."""
    if leader is None:
        return ["looser limits, as no setup keeps those given"]
    changes = []
    epochs = max(record.epochs or 0 for record in records)
    if 0 < epochs < STUDY_EPOCHS:
        changes.append(f"more epochs ({epochs} here, {STUDY_EPOCHS} in the study)")
    images = max(record.split.images.get("train", 0) for record in records)
    if images:
        changes.append(f"more training images ({images:,} here)")
    one = leader.baseline
    if one is None:
        return [*changes, "baselines (they were left out of this run)"]
    if not math.isfinite(one.low):
        return [*changes, f"more plates, wells or seeds ({one.reason or 'no interval could be made'})"]
    half = (one.high - one.low) / 2
    if column.sign * one.difference > 0:
        # the half-width falls with the square root of the units
        needed = math.ceil(one.blocks * (half / abs(one.difference)) ** 2)
        if needed > one.blocks:
            more = f"about {needed:,}" if needed <= _UNITS_SHOWN else f"more than {_UNITS_SHOWN:,}"
            changes.append(
                f"more plates or wells ({one.blocks} compared here, {more} would tell this difference)"
            )
    return changes
