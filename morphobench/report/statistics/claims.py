"""What the study reports, beside what a run measured; no I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from morphobench.report.statistics.analysis import Findings
from morphobench.report.statistics.columns import COSTS, PRIMARY
from morphobench.report.statistics.cost import CLAIM, FAST
from morphobench.report.statistics.table import Row
from morphobench.run.record import split_name
from morphobench.setups import PARADIGMS

_MULTI = "multi-crop"


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

    Args:
        findings: statistics of the run.
        rows: its rows.

    Returns:
        The claims that the run measured something of.
    """
    found = []
    for column, effects in findings.effects:
        if column.key not in PRIMARY:
            continue
        multi = next((one for one in effects if one.kind == "main" and one.name == _MULTI), None)
        if multi is None:
            continue
        sign = -1 if column.direction == "down" else 1
        known = math.isfinite(multi.low)
        interval = (
            f"95 % interval {multi.low:+.3f} to {multi.high:+.3f} over {multi.units}"
            if known
            else f"no interval: {multi.reason}"
        )
        low, high = sorted((sign * multi.low, sign * multi.high)) if known else (math.nan, math.nan)
        found.append(
            StudyClaim(
                f"Training on multi-crops helps ({column.label})",
                f"{multi.estimate:+.3f} on average over paradigms and augmentation, {interval}; "
                f"better in {multi.wins} of {multi.of} pairs of setups",
                "agrees" if low > 0 else "disagrees" if high < 0 else "not decided",
            )
        )
    ratios = _times_as_long(rows)
    if ratios:
        largest, other = max(ratios)
        found.append(
            StudyClaim(
                f"Self-supervised training is up to {CLAIM:g} times faster than other paradigms",
                f"the largest ratio of time per image within a setting is {largest:.2f} ({other} against "
                f"{FAST}), one measurement each; `morphobench cost` measures in interleaved rounds",
                "agrees" if largest >= CLAIM else "not decided",
            )
        )
    return tuple(found)


def _times_as_long(rows: Sequence[Row]) -> list[tuple[float, str]]:
    """How many times as long each of the study's other paradigms takes as self-supervised, same setting."""
    times = {row.name: row.cells[COSTS[0].key].value for row in rows}
    return [
        (time / fast, name)
        for name, time in times.items()
        for group, label in [split_name(name)]
        if group in PARADIGMS and group != FAST and math.isfinite(time)
        if (fast := times.get(f"{FAST}/{label}", math.nan)) > 0
    ]
