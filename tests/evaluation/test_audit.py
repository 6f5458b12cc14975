"""Audit of data sets whose confounders are planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from morphobench.evaluation import EvaluationInput
from morphobench.evaluation.audit import TaskAudit, audit, plates_with_few_controls
from morphobench.evaluation.nuisance import group_predictability, macro_recall, well_positions
from morphobench.types import Float32Array

PLATES = 16


def study(*, confounded: bool, signal: float = 0.0, seed: int = 0) -> tuple[EvaluationInput, Float32Array]:
    """Plates of 12 wells with 4 images; ``confounded``: controls and drugs stand on plates of their own."""
    random = np.random.default_rng(seed)
    rows = []
    for plate in range(PLATES):
        part = ("train", "train", "validation", "test")[plate % 4]
        for well in range(12):
            drug = plate // 4 % 2 == 1 if confounded else well % 2 == 1
            rows += [
                {
                    "Metadata_Plate": f"P{plate:02d}",
                    "Metadata_Well": f"{'ABC'[well // 4]}{well % 4 + 1:02d}",
                    "Metadata_Compound": f"c{well % 3}" if drug else "DMSO",
                    "Metadata_ControlType": "trt" if drug else "negcon",
                    "Metadata_FieldNuclei": random.integers(5, 9) + 20 * (drug and signal < 0),
                    "Metadata_Split": part,
                }
            ] * 4
    metadata = pd.DataFrame(rows)
    treated = (metadata["Metadata_ControlType"] == "trt").to_numpy()
    features = random.normal(size=(len(metadata), 3)) + max(signal, 0) * treated[:, None]
    return EvaluationInput(features.astype(np.float32), metadata), features.astype(np.float32)


def found(**options: float) -> TaskAudit:
    inputs, features = study(**options)  # type: ignore[arg-type]
    noise = np.random.default_rng(9).normal(size=features.shape).astype(np.float32)
    return audit(inputs, {"one": features, "noise": noise}, permutations=50)["classification"]


def test_plates_of_one_class_make_the_task_confounded() -> None:
    one = found(confounded=True)
    assert one.confounded
    assert one.predictable_from["plate"].score == 1
    assert one.predictable_from["plate"].above_chance == pytest.approx(1)
    assert one.units["plates_with_several_classes"] == one.units["effective_plates"] == 0
    assert any("100 % predictable from the plate alone" in text for text in one.verdicts)


def test_plates_that_hold_both_classes_do_not() -> None:
    one = found(confounded=False)
    assert not one.confounded
    assert one.predictable_from["plate"].above_chance < 0.1
    assert one.units["effective_plates"] == pytest.approx(PLATES)
    assert one.units["compounds"] == 3
    assert one.predictable_from["position"].score == 1  # fixed layout: said, but no reason to distrust
    assert any("position on the plate alone reaches 1.00" in text for text in one.verdicts)
    assert abs(one.predictable_from["cell_count"].score - 0.5) < 0.15


def test_cell_count_that_gives_the_label_away_is_found() -> None:
    one = found(confounded=False, signal=-1)
    assert one.predictable_from["cell_count"].score > 0.99
    assert one.confounded


def test_a_baseline_at_the_ceiling_saturates_the_task() -> None:
    one, weak = found(confounded=False, signal=6), found(confounded=False, signal=0.5)
    assert (one.saturated, weak.saturated) == (True, False)
    assert one.baselines["one"] > 0.99
    assert abs(weak.baselines["noise"] - 0.5) < 0.15


def test_the_difference_seen_is_of_the_order_of_sampling() -> None:
    """Four test plates of 48 images: the standard error of a difference of two accuracies is near 0.05."""
    smallest = found(confounded=False).detectable_difference
    assert smallest is not None
    assert 0.02 < smallest < 0.6


def test_few_controls_are_named() -> None:
    assert plates_with_few_controls(study(confounded=False)[0]) == ([], PLATES)
    few, plates = plates_with_few_controls(study(confounded=True)[0])
    assert (len(few), plates) == (PLATES // 2, PLATES)


def test_chance_of_groups_is_that_of_labels_assigned_at_random() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat([f"g{number}" for number in range(20)], 2).astype(object)
    one = group_predictability(random.integers(0, 2, 40), groups, None, permutations=200, seed=0)
    assert one.chance > 0.65  # two images of a group predict each other by construction
    assert abs(one.score - one.chance) < 0.15
    assert macro_recall(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])) == 0.5


def test_positions_are_read_from_names() -> None:
    names = np.array(["A01", "B12", "AA3"], dtype=object)
    places = well_positions(names)
    assert places is not None
    assert places.tolist() == [[1, 1], [2, 12], [27, 3]]
    assert well_positions(np.array(["A01", "field 3"], dtype=object)) is None
