"""The study's claims beside a run: planted effects are found, and nothing is claimed without an interval."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from morphobench.report.statistics.claims import StudyClaim, study_claims
from morphobench.report.summary import summarize
from morphobench.run.record import Record
from morphobench.setups import PARADIGMS
from tests.support.report_records import KNOWN, study

AUC = "classification.roc_auc"
TIMES_NS = {"regularized": 12e6, "self_supervised": 1e6}


def _claims(change: Callable[[Record], Record], seeds: Sequence[int] = range(4)) -> dict[str, StudyClaim]:
    summary = summarize([change(one) for one in study(seeds)], known=KNOWN)
    return {one.claim: one for one in study_claims(summary.findings, summary.rows)}


def _planted(one: Record) -> Record:
    paradigm, setting = one.setup.split("/")
    if paradigm not in PARADIGMS:
        return one
    raised = 0.1 * (paradigm == "regularized") - 0.05 * setting.startswith("aug")
    noise = 0.001 * np.random.default_rng([one.seed, zlib.crc32(one.setup.encode())]).normal()
    one.metrics[AUC] = 0.6 + raised + 0.02 * setting.endswith("multi_crop") + noise
    time_ns = TIMES_NS.get(paradigm, 2e6)
    return replace(one, time_per_image_ns=3 * time_ns, time_per_view_ns=time_ns)


def test_planted_effects_decide_the_claims() -> None:
    found = _claims(_planted)
    assert found["Training on multi-crops helps (ROC AUC)"].verdict == "agrees"
    assert found["Augmentation helps (ROC AUC)"].verdict == "disagrees"
    assert found["Regularized training is the most informative (ROC AUC)"].verdict == "agrees"
    assert found["Regularized training is the most expensive"].verdict == "agrees"
    fast = found["Self-supervised training is up to 11 times faster than other paradigms"]
    assert fast.verdict == "agrees"
    assert "12.00 (regularized against self_supervised)" in fast.measured


def test_times_of_rounds_count_where_all_setups_have_them() -> None:
    def busy(one: Record) -> Record:  # while self-supervised setups were trained, not while they were timed
        one = _planted(one)
        return replace(one, time_per_image_ns=1e9) if one.setup.startswith("self_supervised/") else one

    def untimed(one: Record) -> Record:
        return replace(busy(one), time_per_view_ns=None)

    name = "Regularized training is the most expensive"
    timed, alone = (_claims(change)[name] for change in (busy, untimed))
    assert (timed.verdict, alone.verdict) == ("agrees", "disagrees")
    assert "in interleaved rounds" in timed.measured
    assert "one measurement each" in alone.measured


def test_another_paradigm_that_is_better_leaves_the_claim_undecided() -> None:
    def change(one: Record) -> Record:
        if one.setup.startswith("weakly_supervised/"):
            one.metrics[AUC] = 0.75
            return one
        return _planted(one)

    claim = _claims(change)["Regularized training is the most informative (ROC AUC)"]
    assert claim.verdict == "not decided"
    assert "the best is weakly_supervised" in claim.measured


def test_one_seed_without_predictions_decides_nothing_of_quality() -> None:
    found = _claims(_planted, seeds=(0,))
    quality = [one for name, one in found.items() if name.endswith("(ROC AUC)")]
    assert len(quality) == 3
    assert {one.verdict for one in quality} == {"not decided"}
    assert all("no interval" in one.measured for one in quality)


@pytest.mark.parametrize(("best", "verdict"), [("regularized/aug_multi_crop", "disagrees"), (None, "agrees")])
def test_best_throughout(best: str | None, verdict: str) -> None:
    def change(one: Record) -> Record:
        if one.setup == best:
            for key, column in KNOWN.items():
                one.metrics[key] = -1.0 if column.direction == "down" else 100.0
        return one

    claim = _claims(change)["No combination is best throughout"]
    assert claim.verdict == verdict
    assert "ROC AUC: " in claim.measured
