"""Learning gain on records and tables whose gain is planted."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from morphobench.report.decision import recommend
from morphobench.report.render.sentences import decision_sentences
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.gain import UNTRAINED, Gain, learning_gains
from morphobench.report.statistics.pairing import Pairing, Tables
from tests.support.report_records import record

NSC = Column("profiling.nsc_accuracy", "NSC", "up")
AUC = Column("classification.roc_auc", "AUC", "up")
NAMES = ("unsupervised/aug_one_crop", "regularized/aug_one_crop")


def predictions(right: float, seed: int) -> pd.DataFrame:
    """Queries of 12 mechanisms, 10 each, of which a share is answered correctly."""
    random = np.random.default_rng([seed, round(1000 * right)])
    mechanisms = np.repeat([f"m{number:02d}" for number in range(12)], 10)
    answers = np.where(random.random(120) < right, mechanisms, "other")
    compounds = [f"c{row:03d}" for row in range(120)]
    return pd.DataFrame({"Metadata_Compound": compounds, "Metadata_MOA": mechanisms, "predicted": answers})


def tables(trained: float, untrained: float, seeds: int) -> dict[str, Tables]:
    found = {}
    for seed in range(seeds):
        found[UNTRAINED, seed] = predictions(untrained, seed)
        found |= {(name, seed): predictions(trained, seed + 50 + k) for k, name in enumerate(NAMES)}
    return {"profiling.nsc": found}


def gains(column: Column, known: dict[str, Tables] | None = None, seeds: int = 3) -> tuple[Gain, ...]:
    records = [record(name, seed, encoder="study") for name in (*NAMES, UNTRAINED) for seed in range(seeds)]
    for one in records:
        one.metrics.setdefault(column.key, 0.5)
    return learning_gains(records, Pairing.of(records, [column], {}), [column], known)


def test_a_gain_is_paired_by_mechanism_over_the_seeds() -> None:
    found = gains(NSC, tables(0.8, 0.4, 3))
    assert [one.setup for one in found] == list(NAMES)
    for one in found:
        assert one.difference == pytest.approx(0.4, abs=0.1)
        assert (one.units, one.unit, one.untrained) == (12, "mechanism", UNTRAINED)
        assert one.low < one.difference < one.high
        assert one.excludes_zero
        assert one.has_learned
        assert one.p_holm < 0.01


def test_no_gain_is_no_star_and_a_loss_is_no_learning() -> None:
    assert not any(one.excludes_zero for one in gains(NSC, tables(0.5, 0.5, 3)))
    loss = gains(NSC, tables(0.3, 0.7, 3))[0]
    assert loss.excludes_zero
    assert not loss.has_learned


def test_other_metrics_are_paired_by_seed() -> None:
    found = gains(AUC)
    assert {one.unit for one in found} == {"seed"}
    assert all(one.units == 3 and math.isfinite(one.low) for one in found)
    few = gains(AUC, seeds=2)
    assert all(math.isnan(one.low) and "2 seeds" in one.reason for one in few)


def test_without_an_untrained_encoder_there_is_no_gain() -> None:
    records = [record(name) for name in NAMES]
    assert learning_gains(records, Pairing.of(records, [AUC], {}), [AUC]) == ()


def scores(level: dict[str, float], queries: dict[str, int]) -> pd.DataFrame:
    compounds = [name for name, count in queries.items() for _ in range(count)]
    return pd.DataFrame(
        {
            "Metadata_Query": range(len(compounds)),
            "Metadata_Compound": compounds,
            "Metadata_Label": compounds,
            "score": [level[name] for name in compounds],
        }
    )


def test_restricted_gains_count_every_compound_alike_and_can_leave_out_the_most_frequent() -> None:
    """One compound has 30 of 52 queries and all of the gain; eleven others have two each and none."""
    queries = {"top": 30, **{f"c{number}": 2 for number in range(11)}}
    before = scores(dict.fromkeys(queries, 0.2), queries)
    after = scores({**dict.fromkeys(queries, 0.2), "top": 0.8}, queries)
    known: Tables = {(UNTRAINED, 0): before, **{(name, 0): after for name in NAMES}}
    expected = {"map_nsp": 0.6 / 12, "map_nsp_pooled": 0.6 * 30 / 52, "map_nsp_without_top": 0.0}
    for name, gain in expected.items():
        column = Column(f"restrictions.{name}", name, "up")
        for one in gains(column, {"restrictions.map_nsp": known}, seeds=1):
            assert one.difference == pytest.approx(gain)
            assert (one.unit, one.units) == ("compound", 11 if name.endswith("top") else 12)
            assert not one.has_learned


@pytest.mark.parametrize(
    ("other", "said"),
    [(0.5, "Training has paid. "), (0.65, "Training has paid: learning gain +0.100 over the same")],
)
def test_the_recommendation_says_whether_training_has_paid(other: float, said: str) -> None:
    """With its numbers only where they are not those of the best baseline."""
    values = {**dict.fromkeys(NAMES, 0.7), UNTRAINED: 0.6, "baseline/pca_pixels": other}
    records = [
        record(name, seed, encoder="study", metrics={AUC.key: value + 0.001 * seed})
        for name, value in values.items()
        for seed in range(4)
    ]
    decision = recommend(records, known={AUC.key: AUC})
    assert decision.leader is not None
    assert decision.leader.gain is not None
    assert decision.leader.gain.difference == pytest.approx(0.1)
    assert said in " ".join(decision_sentences(decision))
