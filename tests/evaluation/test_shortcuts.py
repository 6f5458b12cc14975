"""Shortcut ledger of embeddings whose value is planted: in brightness alone, or beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from morphobench.evaluation import EvaluationInput, TaskResult, evaluate
from morphobench.evaluation.nuisance import field_values
from morphobench.evaluation.shortcuts import (
    design,
    image_statistics,
    leading_components,
    predict,
    regress_out,
    shortcut_features,
    statistics_columns,
)
from morphobench.types import Float32Array

PLATES, WELLS, IMAGES = 20, 12, 8


def study(*, brightness: float, density: float = 0.0) -> tuple[pd.DataFrame, Float32Array]:
    """Plates with both classes in random wells; drugs are brighter, and sparser, by so many deviations."""
    random = np.random.default_rng(0)
    rows = []
    for plate in range(PLATES):
        part = ("train", "train", "validation", "test")[plate % 4]
        for well in range(WELLS):
            drug = bool(random.random() < 0.5)
            nuclei = int(200 - 30 * density * drug + 30 * random.normal())
            rows += [
                {
                    "Metadata_Plate": f"P{plate:02d}",
                    "Metadata_Well": f"{'ABC'[well // 4]}{well % 4 + 1:02d}",
                    "Metadata_ControlType": "trt" if drug else "negcon",
                    "Metadata_FieldNuclei": nuclei,
                    "Metadata_Split": part,
                }
            ] * IMAGES
    metadata = pd.DataFrame(rows)
    drugs = (metadata["Metadata_ControlType"] == "trt").to_numpy()
    bright = (random.normal(size=len(metadata)) + brightness * drugs).astype(np.float32)
    return metadata.assign(Metadata_Brightness_0=bright), drugs.astype(np.float32)


def found(embeddings: Float32Array, metadata: pd.DataFrame) -> TaskResult:
    return evaluate(EvaluationInput(embeddings.astype(np.float32), metadata), tasks=["shortcuts"])[
        "shortcuts"
    ]


def test_an_embedding_that_is_only_brightness_loses_everything() -> None:
    metadata, _ = study(brightness=2.5)
    bright = metadata["Metadata_Brightness_0"].to_numpy()
    only = np.stack([bright, bright**2, np.tanh(bright), np.exp(bright / 2), -3 * bright + 1], axis=1)
    result = found(only, metadata)
    assert result.metrics["shortcuts.classification_value"] > 0.85
    assert result.metrics["shortcuts.classification_alone"] > 0.85
    assert result.metrics["shortcuts.classification_remaining"] == pytest.approx(0.5, abs=0.07)
    assert result.metrics["shortcuts.classification_least"] == pytest.approx(0.5, abs=0.07)
    assert result.metrics["shortcuts.classification_chance"] == 0.5
    interval = result.intervals["shortcuts.classification_remaining"]
    assert interval.low <= 0.5 <= interval.high


def test_an_embedding_with_a_signal_beside_brightness_keeps_it() -> None:
    metadata, drugs = study(brightness=2.5)
    bright = metadata["Metadata_Brightness_0"].to_numpy()
    random = np.random.default_rng(1)
    # what tells drugs apart, given their brightness: 2.5 deviations of its own
    signal = 2.5 * drugs + random.normal(size=len(drugs))
    result = found(np.stack([bright, signal, bright + signal], axis=1), metadata)
    assert result.metrics["shortcuts.classification_value"] > 0.9
    assert result.metrics["shortcuts.classification_remaining"] > 0.85
    # all that is common to signal and brightness, through the label, counted as brightness: a lower bound
    assert 0.55 < result.metrics["shortcuts.classification_least"] < 0.75
    unrelated = np.stack([signal, random.normal(size=len(drugs))], axis=1).astype(np.float32)
    plain = found(unrelated, metadata.assign(Metadata_Brightness_0=random.normal(size=len(drugs))))
    value = plain.metrics["shortcuts.classification_value"]
    assert plain.metrics["shortcuts.classification_remaining"] == pytest.approx(value, abs=0.03)
    assert plain.metrics["shortcuts.classification_alone"] < 0.6


def test_a_shortcut_that_determines_the_class_takes_all_of_it() -> None:
    """Without any variation within classes, nothing says what else an embedding might have seen."""
    metadata, drugs = study(brightness=0)
    random = np.random.default_rng(1)
    table = metadata.assign(Metadata_Brightness_0=drugs)
    result = found(np.stack([drugs + random.normal(size=len(drugs)) / 9] * 2, axis=1), table)
    assert result.metrics["shortcuts.classification_value"] > 0.95
    assert result.metrics["shortcuts.classification_remaining"] == pytest.approx(0.5, abs=0.1)


def test_every_shortcut_has_a_line_that_says_what_it_alone_takes() -> None:
    metadata, _ = study(brightness=0, density=3)
    counts = metadata["Metadata_FieldNuclei"].to_numpy(np.float32)
    result = found(np.stack([counts, counts**2], axis=1), metadata)
    lines: dict[Any, Any] = result.tables["ledger"].set_index("shortcut").to_dict("index")
    assert list(lines) == ["none", "brightness", "cell_count", "position", "all but position", "all"]
    assert lines["cell_count"]["alone"] > 0.85
    assert lines["brightness"]["remaining"] > 0.85
    assert lines["brightness"]["alone"] < 0.65
    for name in ("cell_count", "all but position", "all"):
        assert lines[name]["remaining"] == pytest.approx(0.5, abs=0.07)


def test_nothing_is_learned_from_the_test_part() -> None:
    """Embeddings of test images may be anything: what is fitted on train stays the same."""
    metadata, _ = study(brightness=1)
    train = (metadata["Metadata_Split"] == "train").to_numpy()
    values = np.random.default_rng(0).normal(size=(len(metadata), 3)).astype(np.float32)
    terms = design(shortcut_features(EvaluationInput(values, metadata)), train)
    changed = np.where(train[:, None], values, 100 * values)
    for labels in (None, np.arange(len(metadata)) % 3):
        mixed = None if labels is None else np.where(train, labels, 7)
        one, other = (regress_out(values, terms, train, labels), regress_out(changed, terms, train, mixed))
        np.testing.assert_array_equal(one[train], other[train])
    one = regress_out(values, terms, train)[train]
    explained = np.abs(terms[train].T @ one).max() / np.abs(terms[train].T @ values[train]).max()
    assert explained < 1e-6


def test_without_a_train_part_or_a_known_shortcut_it_is_undefined_and_says_why() -> None:
    metadata, _ = study(brightness=1)
    values = np.ones((len(metadata), 2), dtype=np.float32)
    alone = metadata.drop(columns=["Metadata_Brightness_0", "Metadata_Well", "Metadata_FieldNuclei"])
    for table, reason in ((metadata.assign(Metadata_Split="test"), "no train"), (alone, "no shortcut")):
        result = found(values, table)
        assert all(np.isnan(value) for value in result.metrics.values())
        assert reason in result.warnings[0]


def test_statistics_are_those_of_each_channel() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 2, 16, 16)).astype(np.uint8)
    found = image_statistics(images)
    pixels = images.reshape(5, 2, -1) / 255
    np.testing.assert_allclose(found["brightness"], pixels.mean(axis=2), rtol=1e-6)
    np.testing.assert_allclose(found["contrast"], pixels.std(axis=2), rtol=1e-6)
    np.testing.assert_allclose(found["background"], np.sort(pixels)[:, :, 12], rtol=1e-6)
    assert list(statistics_columns(images)) == [
        f"Metadata_{name}_{channel}"
        for name in ("Brightness", "Contrast", "Background")
        for channel in (0, 1)
    ]


def test_many_features_are_reduced_by_the_train_part() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(700, 300)).astype(np.float32)
    train = np.arange(700) < 500
    assert leading_components(values, train).shape == (700, 256)
    few = leading_components(values[:, :10], train)
    np.testing.assert_allclose(few[train].std(axis=0), 1, rtol=1e-5)


def test_cell_counts_are_read_where_they_are_known() -> None:
    counts = pd.DataFrame({"Metadata_CellCount": [10, None, 30]})
    assert field_values(counts, "cell_count") == pytest.approx([10, 20, 30])
    assert field_values(counts, "field_density") is None
    assert field_values(counts.assign(Metadata_CellCount=5), "cell_count") is None


def test_the_classifier_is_the_ridge_classifier_of_scikit_learn() -> None:
    from sklearn.linear_model import RidgeClassifier

    random = np.random.default_rng(0)
    labels = random.choice(3, 300, p=(0.6, 0.3, 0.1))
    features = random.normal(size=(300, 6)) * 3 + labels[:, None] * (0.5, 0, 0.2, 1, 0, 0)
    parts = {"train": np.arange(200), "validation": np.arange(0), "test": np.arange(200, 300)}
    spread, mean = features[:200].std(axis=0), features[:200].mean(axis=0)
    scaled = (features - mean) / spread
    model = RidgeClassifier(alpha=100, class_weight="balanced").fit(scaled[:200], labels[:200])
    np.testing.assert_array_equal(predict(features, labels, parts), model.predict(scaled[200:]))
