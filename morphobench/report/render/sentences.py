"""The decision in sentences, the same in the terminal, on the page and in Markdown."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

from morphobench.report.decision import Candidate, Decision
from morphobench.report.render.formats import bounds, number, p_text, signed, signed_bounds, with_unit
from morphobench.report.statistics.columns import MARK, marked
from morphobench.report.statistics.comparisons import Comparison
from morphobench.report.statistics.gain import UNTRAINED

_LEVEL = 0.05


@dataclass(frozen=True, repr=False)
class Recommendation(Decision):
    """A decision that says itself in words when it is printed, and in a notebook."""

    def __str__(self) -> str:
        return " ".join(decision_sentences(self))

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def decision_sentences(decision: Decision) -> list[str]:
    """Write the decision, the answer first.

    Args:
        decision: the decision.

    Returns:
        Sentences of one paragraph.
    """
    if decision.column is None:
        return [
            "No setup can be recommended: the run holds no trained setup with a metric that has a direction."
        ]
    if not decision.candidates:
        return [f"No setup can be recommended: no trained setup has a value of {decision.column.label}."]
    if decision.leader is None:
        return ["No setup keeps the limits given. " + _fastest(decision)]
    choice, leader = decision.choice, decision.leader
    said = (
        [f"Take {choice.setup}: {_quality(decision, choice)}."] if choice else [_no_choice(decision, leader)]
    )
    if marked(decision.column):
        said.append(
            f"Caution ({MARK}): the audit found this task confounded or saturated, so it may say "
            "little of the setups."
        )
    said += _advantages(decision, leader)
    said += _gain(leader)
    if choice and decision.cheaper and decision.cheaper_against:
        less = decision.cheaper.hours / choice.hours
        said.append(
            f"{decision.cheaper.setup} takes {number(100 * less, digits=0)} % of its time and cannot be told "
            f"from it ({_difference(decision.cheaper_against)})."
        )
    if math.isfinite(decision.share_first):
        blocks = decision.over.rpartition(" ")[2]
        what = "seeds" if blocks.startswith("seed") else f"resamples of the {blocks}"
        share = number(100 * decision.share_first, digits=0)
        said.append(f"{'It' if choice else leader.setup} came first in {share} % of {what}.")
    said += _cost(decision, leader)
    if not choice and decision.changes:
        said.append(f"For a clearer answer: {', '.join(decision.changes)}.")
    return said


def _quality(decision: Decision, one: Candidate) -> str:
    column = decision.column
    label = "" if column is None else f"{column.label} "
    unit = f" {column.unit}" if column is not None and column.unit else ""
    interval = bounds(one.low, one.high, digits=3)
    return f"{label}{number(one.quality)}{unit}" + (
        f" (95 % interval {interval})" if math.isfinite(one.low) else ""
    )


def _no_choice(decision: Decision, leader: Candidate) -> str:
    best = f"the best setup is {leader.setup}: {_quality(decision, leader)}."
    if leader.baseline is None:
        return f"No setup can be recommended, as no baselines were run; {best}"
    beaten = math.isfinite(leader.baseline.low) and not leader.baseline.low <= 0 <= leader.baseline.high
    if beaten:  # no choice was made, so the difference is to the setup's disadvantage
        return (
            f"No setup beats the best baseline ({leader.baseline.other}), which is better for certain; {best}"
        )
    return f"No setup beats the best baseline ({leader.baseline.other}) for certain; {best}"


def _advantages(decision: Decision, leader: Candidate) -> list[str]:
    """What it gains over the best baseline and over the untrained encoder, and how sure that is."""
    best, untrained = leader.baseline, decision.untrained
    parts = []
    if best is not None:
        known = best.other.partition("@")[0] == UNTRAINED
        name = "the untrained encoder" if known else best.other
        parts.append(f"from the best baseline, {name}, it differs by {_difference(best)}")
    # the learning gain, where it is known, says the same of the untrained encoder
    if untrained is not None and leader.gain is None and (best is None or best.other != untrained.other):
        parts.append(f"from the untrained encoder it differs by {_difference(untrained)}")
    if not parts:
        return []
    known = any(one is not None and math.isfinite(one.low) for one in (best, untrained))
    text = "; ".join(parts) + (f" over {decision.over}" if known else "")
    said = [f"{text[0].upper()}{text[1:]}."]
    sign = 0 if decision.column is None else decision.column.sign
    if best is not None and sign * best.difference > 0 and math.isfinite(best.p_holm):
        count = sum(one.baseline is not None for one in decision.candidates)
        doubt = ", so that the best of so many may be luck" if best.p_holm > _LEVEL else ""
        many = f"corrected for comparing {count} setups (Holm), {p_text(best.p_holm)}{doubt}"
        said.append(f"{many[0].upper()}{many[1:]}.")
    return said


def _gain(leader: Candidate) -> list[str]:
    """Whether training has paid; with numbers where the best baseline is not the same encoder untrained."""
    one = leader.gain
    if one is None:
        return []
    said = leader.baseline is not None and leader.baseline.other == one.untrained
    if one.reason:
        why = "" if said else f": no interval of the learning gain ({one.reason})"
        return [f"Whether training has paid cannot be told{why}."]
    verdict = "No certain gain from training"
    if one.excludes_zero:
        verdict = "Training has paid" if one.has_learned else "Training has harmed"
    if said:
        return [f"{verdict}."]
    over = f"{one.units} {one.unit}{'s' * (one.units != 1)}"
    return [
        f"{verdict}: learning gain {signed(one.difference)} over the same encoder untrained (95 % interval "
        f"{signed_bounds(one.low, one.high)}, {over}; Holm: {p_text(one.p_holm)})."
    ]


def _difference(one: Comparison) -> str:
    if not math.isfinite(one.low):
        return f"{signed(one.difference)}, without an interval: {one.reason}"
    return f"{signed(one.difference)}, paired 95 % interval {signed_bounds(one.low, one.high)}"


def _cost(decision: Decision, one: Candidate) -> list[str]:
    parts = []
    if math.isfinite(one.hours) and decision.images and decision.epochs:
        epochs = f"{decision.epochs:,} epoch{'s' * (decision.epochs != 1)}"
        time = with_unit(one.hours * 3600e9, "ns", digits=1)
        parts.append(f"training on {decision.images:,} images for {epochs} takes about {time}")
    if math.isfinite(one.memory_bytes):
        parts.append(f"memory peaks at {number(one.memory_bytes / 1e9, digits=1)} GB")
    if not parts:
        return []
    text = " and ".join(parts)
    return [f"{text[0].upper()}{text[1:]} on this machine ({decision.machine})."]


def _fastest(decision: Decision) -> str:
    times = [one.hours for one in decision.candidates if math.isfinite(one.hours)]
    sizes = [one.memory_bytes for one in decision.candidates if math.isfinite(one.memory_bytes)]
    time = with_unit(min(times, default=math.nan) * 3600e9, "ns", digits=1)
    size = number(min(sizes, default=math.nan) / 1e9, digits=1)
    return f"The fastest takes {time}, the smallest needs {size} GB."
