"""What the page's statistics are made of: which units, which setups, and what happens where the data is
thin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from morphobench.report.statistics.analysis import Findings, analyse
from morphobench.report.statistics.pairing import AUC, Pairing, Tables, joint_draws, values_over_seeds
from morphobench.run.record import Record
from tests.support.report_records import BASELINES, KNOWN, record, study, tables

QUALITY = tuple(KNOWN.values())


def _analysed(records: list[Record], predictions: Tables, by_cell_line: Tables) -> Findings:
    return analyse(Pairing.of(records, QUALITY, predictions), QUALITY, by_cell_line=by_cell_line)


def test_auc_effects_resample_plates_and_the_others_seeds() -> None:
    records = study((0, 1, 2))
    predictions, lines = tables(records)
    found = _analysed(records, predictions, lines)
    units = [(column.key, effects[0].units) for column, effects in found.effects]
    assert units[0] == (AUC, "10 plates")
    assert (AUC, "3 seeds") in units
    assert ("similarity.d", "3 seeds") in units
    assert "clustering.clusters" not in dict(units), "a metric without a direction has no good effect"
    multi = next(one for one in found.effects[0][1] if one.name == "multi-crop")
    assert multi.low > 0, "planted in the made-up predictions"
    assert (multi.wins, multi.of) == (8, 8)


def test_every_setup_is_compared_with_the_best_baseline_only() -> None:
    records = study((0, 1))
    for one in records:
        if one.setup == BASELINES[1]:
            one.metrics[AUC] = 0.59
    predictions, lines = tables(records)
    found = _analysed(records, predictions, lines)
    against = found.against[AUC]
    assert len(against) == 16
    assert {one.other for one in against} == {BASELINES[1]}
    assert found.pairing.blocks(KNOWN[AUC]) == "10 plates"
    assert all(one.low > 0 for one in against if one.one.endswith("multi_crop"))
    by_seeds = _analysed(study((0, 1, 2)), {}, {})
    assert (by_seeds.pairing.blocks(KNOWN[AUC]), by_seeds.against[AUC][0].blocks) == ("3 seeds", 3)
    assert all(math.isnan(one.p_signs) for one in against), "two seeds"
    assert all(0.25 <= one.p_signs <= 1 for one in by_seeds.against[AUC]), (
        "at least 2 of the 8 signs of three"
    )
    assert found.shares
    for _, parts in found.shares:
        assert sum(parts.values()) == pytest.approx(1)


def test_few_plates_fall_back_to_wells_and_few_wells_say_so() -> None:
    records = study((0,))
    predictions, lines = tables(records, plates=3, lines=3)
    found = _analysed(records, predictions, lines)
    assert found.effects[0][1][0].units == "12 wells"
    assert found.ranking is not None
    assert found.ranking.reason == "3 blocks, at least 5 needed"
    bare = {key: table.drop(columns="Metadata_Well") for key, table in predictions.items()}
    alone = _analysed(records, bare, {})
    assert alone.effects[0][1][0].reason == "3 plates, at least 6 needed"
    assert alone.ranking is None


def test_one_seed_without_predictions_gives_estimates_without_intervals() -> None:
    found = _analysed(study((0,), baselines=False), {}, {})
    assert found.against == {}
    for _, effects in found.effects:
        assert all(one.reason == "1 seed, at least 3 needed" and math.isnan(one.low) for one in effects)


def test_joint_draws_are_the_mean_auc_values_over_seeds() -> None:
    records = study((0, 1))
    predictions, _ = tables(records)
    setups = [one.setup for one in records[:4]]
    drawn = joint_draws(setups, [0, 1], predictions)
    assert drawn is not None
    wanted = [
        np.mean(
            [roc_auc_score(t["label"], t["drug_probability"]) for t in (predictions[s, 0], predictions[s, 1])]
        )
        for s in setups
    ]
    assert drawn[0].estimates == pytest.approx(wanted)
    assert drawn[1] == "plate"


def test_predictions_of_different_images_are_not_paired() -> None:
    records = study((0,))
    predictions, _ = tables(records)
    predictions[records[0].setup, 0] = predictions[records[0].setup, 0].iloc[1:]
    assert joint_draws([one.setup for one in records], [0], predictions) is None


def test_incomplete_factorials_and_single_setups_have_no_effects() -> None:
    found = _analysed([record("mine"), record("unsupervised/aug_one_crop")], {}, {})
    assert found.effects == ()
    assert found.ranking is None


def test_values_over_seeds_have_gaps_where_a_record_is_missing() -> None:
    records = [record("a/b", 0), record("a/b", 1), record("a/c", 1)]
    values = values_over_seeds(records, ["a/b", "a/c"], [0, 1], AUC)
    assert values[0, 0] == records[0].metrics[AUC]
    assert math.isnan(values[0, 1])


def test_a_run_with_only_its_baselines_done_has_no_findings() -> None:
    records = [record(name) for name in BASELINES]
    predictions, lines = tables(records)
    found = _analysed(records, predictions, lines)
    assert (found.against, found.effects, found.ranking) == ({}, (), None)
