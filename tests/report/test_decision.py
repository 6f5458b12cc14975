"""The decision: setups with planted effects are chosen, those without are not, limits are kept."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from morphobench.cli import main
from morphobench.errors import InputError
from morphobench.report.decision import Decision, recommend
from morphobench.report.render.sentences import decision_sentences
from morphobench.report.statistics.columns import MARK
from morphobench.run.record import Record, write_records
from tests.support.report_records import KNOWN, record

AUC = "classification.roc_auc"
FAST, SLOW, WEAK = "unsupervised/aug_one_crop", "self_supervised/aug_multi_crop", "regularized/aug_one_crop"
UNTRAINED = "baseline/untrained_encoder"


def _records(values: dict[str, list[float]], **changes: Any) -> list[Record]:
    """Records with one ROC AUC a seed."""
    times = {FAST: 1e6, SLOW: 10e6, WEAK: 2e6}
    return [
        record(
            name,
            seed,
            metrics={AUC: value},
            time_per_image_ns=times.get(name),
            peak_host_memory_bytes=None if name.startswith("baseline/") else 2 * 10**9,
            split={"images": {"train": 1000, "validation": 100, "test": 200}},
            **changes,
        )
        for name, each in values.items()
        for seed, value in enumerate(each)
    ]


CLEAR = {
    UNTRAINED: [0.60, 0.62, 0.61, 0.59],
    FAST: [0.80, 0.83, 0.80, 0.79],
    SLOW: [0.81, 0.82, 0.82, 0.79],
    WEAK: [0.61, 0.61, 0.62, 0.58],
}


def _decided(values: dict[str, list[float]], **options: Any) -> tuple[Decision, str]:
    decision = recommend(_records(values), known=KNOWN, **options)
    return decision, " ".join(decision_sentences(decision))


def test_the_best_setup_with_evidence_is_taken_and_the_cheaper_equal_named() -> None:
    decision, text = _decided(CLEAR)
    assert decision.choice is not None
    assert decision.choice.setup == SLOW
    assert decision.cheaper is not None
    assert decision.cheaper.setup == FAST
    assert repr(decision) == f"Decision(choice={SLOW!r}, leader={SLOW!r}, candidates=3)"
    assert text.startswith(f"Take {SLOW}: ROC AUC 0.810")
    assert f"{FAST} takes 10 % of its time and cannot be told from it" in text
    differences = np.subtract(CLEAR[SLOW], CLEAR[UNTRAINED])
    assert decision.choice.baseline is not None
    assert decision.choice.baseline.difference == pytest.approx(differences.mean())
    assert decision.choice.baseline.low > 0
    assert "over 4 seeds" in text
    assert decision.share_first == pytest.approx(0.75), "a tie counts for both"


def test_a_decision_by_a_metric_that_the_audit_marks_says_so() -> None:
    decision, text = _decided(CLEAR)
    assert decision.column is not None
    column = replace(decision.column, label=f"{decision.column.label} {MARK}")
    caution = " Caution (‡): the audit found this task confounded or saturated"
    assert caution in " ".join(decision_sentences(replace(decision, column=column)))
    assert caution not in text


def test_without_evidence_no_setup_is_taken_and_what_to_change_is_said() -> None:
    values = {**CLEAR, FAST: [0.61, 0.60, 0.63, 0.60], SLOW: [0.58, 0.70, 0.55, 0.66]}
    decision, text = _decided(values)
    assert decision.choice is None
    assert decision.leader is not None
    assert text.startswith(
        f"No setup beats the best baseline ({UNTRAINED}) for certain; the best setup is {SLOW}"
    )
    assert "more epochs (3 here, 50 in the study)" in text
    assert "more plates or wells (4 compared here" in text


def test_a_baseline_that_is_better_for_certain_is_said_to_be() -> None:
    worse = {name: [value - 0.3 for value in CLEAR[name]] for name in (FAST, SLOW, WEAK)}
    decision, text = _decided({UNTRAINED: CLEAR[UNTRAINED], **worse})
    assert decision.choice is None
    assert text.startswith(f"No setup beats the best baseline ({UNTRAINED}), which is better for certain")
    assert "Corrected for comparing" not in text, "nothing is claimed of the best of many"


def test_a_difference_without_an_interval_is_no_evidence() -> None:
    decision, text = _decided({name: each[:2] for name, each in CLEAR.items()})
    assert decision.choice is None
    assert "2 seeds, at least 3 needed" in text


def test_limits_are_kept_and_costs_scale_with_images_and_epochs() -> None:
    decision, text = _decided(CLEAR, images=60_000, epochs=10)
    assert decision.choice is not None
    assert decision.choice.hours == pytest.approx(10e6 * 60_000 * 10 / 3600e9)
    assert "on 60,000 images for 10 epochs takes about 1.7 h" in text
    assert "memory peaks at 2.0 GB" in text
    fast, _ = _decided(CLEAR, images=60_000, epochs=10, max_minutes=30)
    assert fast.choice is not None
    assert fast.choice.setup == FAST
    assert [one.setup for one in fast.undominated] == [FAST]
    nothing, text = _decided(CLEAR, max_memory_gb=1)
    assert nothing.leader is None
    assert text.startswith("No setup keeps the limits given. The fastest takes")


def test_the_front_holds_what_none_beats_in_everything() -> None:
    decision, _ = _decided(CLEAR)
    assert {one.setup for one in decision.undominated} == {FAST, SLOW}


def test_less_is_better_is_understood() -> None:
    values = {UNTRAINED: [30.0, 32.0, 31.0], FAST: [10.0, 12.0, 10.0], SLOW: [29.0, 33.0, 31.0]}
    records = [
        record(name, seed, metrics={"clustering.noise": value})
        for name, each in values.items()
        for seed, value in enumerate(each)
    ]
    decision = recommend(records, known=KNOWN)
    assert decision.choice is not None
    assert decision.choice.setup == FAST


def test_with_predictions_the_comparison_is_over_plates() -> None:
    random = np.random.default_rng(0)
    plates, label = np.repeat(np.arange(12), 20), random.integers(0, 2, 240)
    table = {
        name: pd.DataFrame(
            {
                "row": np.arange(240),
                "Metadata_Plate": [f"P{plate}" for plate in plates],
                "label": label,
                "drug_probability": 1 / (1 + np.exp(-(strength * label + random.normal(size=240)))),
            }
        )
        for name, strength in {UNTRAINED: 0.3, FAST: 2.0, WEAK: 0.3}.items()
    }
    records = _records({name: [0.6] for name in table})
    tables = {(name, 0): each for name, each in table.items()}
    decision = recommend(records, known=KNOWN, predictions=tables)
    assert decision.choice is not None
    assert decision.choice.setup == FAST
    assert decision.over == "12 plates"
    assert decision.share_first > 0.95
    assert "resamples of the plates" in " ".join(decision_sentences(decision))


def test_no_baselines_and_no_metrics_are_said() -> None:
    decision, text = _decided({FAST: [0.8, 0.8, 0.8]})
    assert text.startswith("No setup can be recommended, as no baselines were run; the best setup is")
    assert math.isnan(decision.share_first), "one setup alone is always the first"
    nothing = recommend([record(UNTRAINED)], known=KNOWN)
    assert "No setup can be recommended" in decision_sentences(nothing)[0]
    assert math.isnan(nothing.share_first)


@pytest.mark.parametrize("limit", ["max_minutes", "max_memory_gb", "images", "epochs"])
def test_limits_must_be_positive(limit: str) -> None:
    with pytest.raises(InputError, match=f"--{limit.replace('_', '-')} must be more than 0, got 0"):
        _decided(CLEAR, **{limit: 0})


def test_the_command(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write_records(tmp_path / "results.jsonl", _records(CLEAR))
    assert (
        main(["recommend", str(tmp_path), "--images", "60000", "--epochs", "10", "--max-minutes", "30"]) == 0
    )
    shown = capsys.readouterr().out
    assert shown.startswith(f"Take {FAST}")
    assert "no other one beats in quality, time and memory" in " ".join(shown.split())
    assert main(["recommend", str(tmp_path), "--format", "json"]) == 0
    assert f'"setup": "{SLOW}"' in capsys.readouterr().out
