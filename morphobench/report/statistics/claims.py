"""What the study reports, beside what a run measured; no I/O."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from morphobench.report.statistics.analysis import Findings
from morphobench.report.statistics.columns import PRIMARY, Column
from morphobench.report.statistics.cost import CLAIM, FAST
from morphobench.report.statistics.effects import Effect
from morphobench.report.statistics.table import BASELINE, EXTERNAL, Row
from morphobench.run.record import split_name
from morphobench.setups import PARADIGMS

_HELPS = {"augmentation": "Augmentation helps", "multi-crop": "Training on multi-crops helps"}
_RICHEST = "regularized"  # the paradigm that the study found most informative, and most expensive


@dataclass(frozen=True)
class StudyClaim:
    """A claim of the study and what a run says of it.

    Attributes:
        claim: what the study reports.
        measured: what the run measured, in words.
        verdict: "agrees", "disagrees" or "not decided".
    """

    claim: str
    measured: str
    verdict: str


def study_claims(findings: Findings, rows: Sequence[Row]) -> tuple[StudyClaim, ...]:
    """Set the study's claims beside a run.

    A claim on quality is decided where a paired 95 % interval excludes zero.

    Args:
        findings: statistics of the run.
        rows: its rows.

    Returns:
        The claims that the run measured something of.
    """
    setups = [row for row in rows if row.group in PARADIGMS]
    times, measure = _times(setups)
    by_quality = (_of_quality(column, effects) for column, effects in _primary(findings))
    return (
        *(claim for claims in by_quality for claim in claims),
        *_fast(times, measure),
        *_expensive(times, measure),
        *_best_throughout(findings, rows),
    )


_MEASURES = {
    "time_per_view_ns": "time of a training step per view, in interleaved rounds",
    "time_per_image_ns": "time of an epoch per image, one measurement each",
}
"""The first one is better: a machine that is busy for some setups makes no difference between them."""


def _times(setups: Sequence[Row]) -> tuple[dict[str, float], str]:
    """Times by setup of the first measure that all have, or else of the last, and what was measured."""
    times = {
        key: {row.name: time for row in setups if math.isfinite(time := row.cells[key].value) and time > 0}
        for key in _MEASURES
    }
    chosen = next((key for key in times if len(times[key]) == len(setups)), "time_per_image_ns")
    return times[chosen], _MEASURES[chosen]


def _primary(findings: Findings) -> Iterator[tuple[Column, Sequence[Effect]]]:
    """Effects on the metrics that a decision is made by: once each, as they come first."""
    seen = set()
    for column, effects in findings.effects:
        if column.key in PRIMARY and column.key not in seen:
            seen.add(column.key)
            yield column, effects


def _of_quality(column: Column, effects: Sequence[Effect]) -> Iterator[StudyClaim]:
    for one in effects:
        if one.kind == "main" and one.name in _HELPS:
            pairs = f"on average over all else; better in {one.wins} of {one.of} pairs of setups"
            claim = f"{_HELPS[one.name]} ({column.label})"
            yield StudyClaim(claim, f"{_with_interval(one)}, {pairs}", _verdict(one, column.sign))
    paradigms = {one.name: one for one in effects if one.kind == "paradigm"}
    if (own := paradigms.get(_RICHEST)) is not None:
        first = max(paradigms.values(), key=lambda one: column.sign * one.estimate)
        measured = f"{_with_interval(own)}, against the mean of all paradigms; the best is {first.name}"
        verdict = _verdict(own, column.sign)
        if verdict == "agrees" and first is not own:
            verdict = "not decided"
        yield StudyClaim(f"Regularized training is the most informative ({column.label})", measured, verdict)


def _with_interval(effect: Effect) -> str:
    known = math.isfinite(effect.low)
    interval = (
        f"95 % interval {effect.low:+.3f} to {effect.high:+.3f} over {effect.units}"
        if known
        else f"no interval: {effect.reason}"
    )
    return f"{effect.estimate:+.3f} ({interval})"


def _verdict(effect: Effect, sign: int) -> str:
    low, high = sorted((sign * effect.low, sign * effect.high))
    return "agrees" if low > 0 else "disagrees" if high < 0 else "not decided"  # NaN is neither


def _fast(times: Mapping[str, float], measure: str) -> Iterator[StudyClaim]:
    ratios = [
        (time / fast, group)
        for name, time in times.items()
        for group, setting in [split_name(name)]
        if group != FAST and (fast := times.get(f"{FAST}/{setting}")) is not None
    ]
    if ratios:
        largest, other = max(ratios)
        yield StudyClaim(
            f"Self-supervised training is up to {CLAIM:g} times faster than other paradigms",
            f"{measure}: the largest ratio within a setting is {largest:.2f} ({other} against {FAST}); "
            "`morphobench cost` measures epochs, and to convergence",
            "agrees" if largest >= CLAIM else "not decided",
        )


def _expensive(times: Mapping[str, float], measure: str) -> Iterator[StudyClaim]:
    by_paradigm = {
        paradigm: fmean(found)
        for paradigm in PARADIGMS
        if (found := [time for name, time in times.items() if split_name(name)[0] == paradigm])
    }
    if len(by_paradigm) == len(PARADIGMS):
        first = max(by_paradigm, key=lambda name: by_paradigm[name])
        others = ", ".join(f"{name} {time / by_paradigm[_RICHEST]:.2f}" for name, time in by_paradigm.items())
        yield StudyClaim(
            "Regularized training is the most expensive",
            f"{measure}: the mean over settings, as a share of regularized's: {others}",
            "agrees" if first == _RICHEST else "disagrees",
        )


def _best_throughout(findings: Findings, rows: Sequence[Row]) -> Iterator[StudyClaim]:
    setups = [row for row in rows if row.group not in (BASELINE, EXTERNAL)]
    best = {
        column.label: {row.name for row in setups if column.key in row.cells and row.cells[column.key].best}
        for column in dict.fromkeys(column for column, _ in findings.effects)
    }
    best = {label: names for label, names in best.items() if names}
    if len(best) > 1:
        everywhere = set.intersection(*best.values())
        found = "; ".join(
            f"{label}: {' and '.join(sorted(names)) if len(names) < 4 else f'{len(names)} setups alike'}"
            for label, names in best.items()
        )
        verdict = "disagrees" if everywhere else "agrees"
        yield StudyClaim("No combination is best throughout", f"best by {found}", verdict)
