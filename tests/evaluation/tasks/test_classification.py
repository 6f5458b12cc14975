"""Classification against plain torch, hand counts, and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from morphobench.errors import InputError
from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.classifier.batched_mlp import ClassifierGrid, Scaling
from morphobench.evaluation.classifier.grid import GridPoint, grid_points
from morphobench.evaluation.tasks import classification
from morphobench.options import EvaluationOptions
from morphobench.setups import Sweep
from tests.support import evaluation_oracles as oracles

SMALL = Sweep(
    learning_rates=(0.1, 0.02),
    momenta=(0.9, 0.7),
    weight_decays=(1e-3,),
    classifier_epochs=4,
    classifier_batch=32,
)


def _data(rows=90, features=24, seed=0):
    generator = np.random.default_rng(seed)
    labels = (generator.random(rows) < 0.4).astype(np.int64)
    embeddings = generator.normal(size=(rows, features)).astype(np.float32)
    embeddings[:, 0] += 1.5 * labels
    return embeddings, labels


@pytest.mark.parametrize("weights", [None, (0.5, 3.0)])
@pytest.mark.parametrize("batch_size", [32, 1024])
@pytest.mark.parametrize("features", [24, 200])  # 70 images span all of 24 features, not 200
def test_the_grid_at_once_equals_one_after_another(weights, batch_size, features):
    embeddings, labels = _data(features=features)
    rows = np.arange(70)
    points = grid_points(Sweep(classifier_epochs=6))
    assert len(points) == 27
    points += [GridPoint(0.05, *rest) for rest in ((0.0, 0.0), (0.9, 0.0), (0.0, 1e-3))]
    grid = ClassifierGrid(features, size=len(points), seed=3)
    grid.fit(
        embeddings,
        labels,
        rows,
        points,
        scaling=Scaling.none(features),
        epochs=6,
        batch_size=batch_size,
        seed=5,
        class_weights=None if weights is None else np.asarray(weights),
    )
    ours = grid.probabilities(embeddings, np.arange(90), scaling=Scaling.none(features), batch_size=17)
    for number, point in enumerate(points):
        alone = oracles.train_one(
            oracles.make_network(features, seed=3),
            embeddings,
            labels,
            rows,
            point,
            epochs=6,
            batch_size=batch_size,
            seed=5,
            class_weights=weights,
        )
        np.testing.assert_allclose(ours[number], oracles.probabilities(alone, embeddings), atol=1e-4)


def test_one_network_goes_through_all_points_under_reference():
    """Fact 6 of reference-1, with its softmax before cross-entropy, by plain torch."""
    embeddings, labels = _data()
    metadata = _metadata(labels)
    inputs = EvaluationInput(
        embeddings, metadata, protocol="reference-1", options=EvaluationOptions(sweep=SMALL), seed=2
    )
    result = evaluate(inputs, tasks=["classification"])["classification"]

    rows = {name: np.flatnonzero(metadata["Metadata_Split"] == name) for name in ("train", "test")}
    network = oracles.make_network(24, seed=2)
    sums, tests = [], []
    for number, point in enumerate(grid_points(SMALL)):
        oracles.train_one(
            network,
            embeddings,
            labels,
            rows["train"],
            point,
            epochs=4,
            batch_size=32,
            seed=2 + number,
            softmax=True,
        )
        tests.append(oracles.probabilities(network, embeddings[rows["test"]]))
        hard = (tests[-1] > 0.5).astype(int)
        truth = labels[rows["test"]]
        sums.append(
            sklearn_metrics.accuracy_score(truth, hard)
            + sklearn_metrics.precision_score(truth, hard, zero_division=0)
            + sklearn_metrics.recall_score(truth, hard)
            + sklearn_metrics.recall_score(truth, hard, pos_label=0)
            + sklearn_metrics.f1_score(truth, hard, zero_division=0)
            + sklearn_metrics.roc_auc_score(truth, hard)
        )
    best = int(np.argmax(sums))
    np.testing.assert_allclose(result.tables["grid"]["test_sum"], sums, atol=1e-4)
    assert int(np.flatnonzero(result.tables["grid"]["chosen"])[0]) == best
    expected = sklearn_metrics.roc_auc_score(labels[rows["test"]], tests[best] > 0.5)
    assert result.metrics["classification.roc_auc"] == pytest.approx(expected)


def _metadata(labels):
    import pandas as pd

    cycle = ("train", "train", "train", "validation", "test")
    return pd.DataFrame(
        {
            "Metadata_ControlType": np.where(labels == 1, "trt", "negcon"),
            "Metadata_Split": [cycle[row % 5] for row in range(len(labels))],
        }
    )


def test_the_point_is_chosen_on_validation_and_test_is_reported():
    embeddings, labels = _data()
    inputs = EvaluationInput(embeddings, _metadata(labels), options=EvaluationOptions(sweep=SMALL), seed=1)
    result = evaluate(inputs, tasks=["classification"])["classification"]

    rows = {name: np.flatnonzero(inputs.in_split(name)) for name in ("train", "validation", "test")}
    train = embeddings[rows["train"]].astype(np.float64)
    scaled = ((embeddings - train.mean(axis=0)) / train.std(axis=0)).astype(np.float32)
    areas, tests = [], []
    for point in grid_points(SMALL):
        network = oracles.train_one(
            oracles.make_network(24, seed=1),
            scaled,
            labels,
            rows["train"],
            point,
            epochs=4,
            batch_size=32,
            seed=1,
        )
        areas.append(
            oracles.roc_auc(
                labels[rows["validation"]], oracles.probabilities(network, scaled[rows["validation"]])
            )
        )
        tests.append(oracles.probabilities(network, scaled[rows["test"]]))
    np.testing.assert_allclose(result.tables["grid"]["validation_roc_auc"], areas, atol=1e-6)
    expected = oracles.roc_auc(labels[rows["test"]], tests[int(np.argmax(areas))])
    assert result.metrics["classification.roc_auc"] == pytest.approx(expected, abs=1e-6)


def test_scores_by_hand():
    labels = np.asarray([1, 1, 1, 0, 0, 0, 0])
    probabilities = np.asarray([0.9, 0.6, 0.2, 0.7, 0.1, 0.2, 0.3])
    scores = classification.binary_scores(labels, probabilities)
    assert scores["accuracy"] == pytest.approx(5 / 7)
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["specificity"] == pytest.approx(3 / 4)
    assert scores["f1"] == pytest.approx(2 / 3)
    assert scores["balanced_accuracy"] == pytest.approx((2 / 3 + 3 / 4) / 2)
    assert scores["roc_auc"] == pytest.approx(oracles.roc_auc(labels, probabilities))
    hard = classification.binary_scores(labels, probabilities, hard_auc=True)
    assert hard["roc_auc"] == pytest.approx((2 / 3 + 3 / 4) / 2)


def test_scores_without_a_class_are_undefined():
    scores = classification.binary_scores(np.zeros(4, dtype=np.int64), np.full(4, 0.1))
    assert scores["specificity"] == 1.0
    assert np.isnan([scores["precision"], scores["recall"], scores["roc_auc"], scores["f1"]]).all()


def test_ties_count_half():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 60)
    scores = generator.integers(0, 5, 60) / 4
    assert classification.roc_auc(labels, scores) == pytest.approx(oracles.roc_auc(labels, scores))
    assert classification.roc_auc(labels, scores) == pytest.approx(
        sklearn_metrics.roc_auc_score(labels, scores)
    )


@pytest.mark.parametrize("protocol", ["reference-1", "corrected-1"])
def test_planted_structure_is_found_and_noise_is_at_chance(planted, protocol):
    sweep = Sweep(learning_rates=(0.05,), momenta=(0.9,), weight_decays=(1e-4,), classifier_batch=64)
    embeddings, metadata = planted(per_group=60, controls=240)
    result = evaluate(
        EvaluationInput(embeddings, metadata, protocol=protocol, options=EvaluationOptions(sweep=sweep)),
        tasks=["classification"],
    )["classification"]
    assert result.metrics["classification.roc_auc"] > 0.95
    assert result.metrics["classification.roc_auc_by_line"] > 0.95
    assert set(result.tables["by_cell_line"]["cell_line"]) == {"A549", "HT29"}

    noise = np.random.default_rng(1).normal(size=embeddings.shape).astype(np.float32)
    null = evaluate(
        EvaluationInput(noise, metadata, protocol=protocol, options=EvaluationOptions(sweep=sweep)),
        tasks=["classification"],
    )
    assert abs(null["classification"].metrics["classification.roc_auc"] - 0.5) < 0.1


def test_features_may_have_any_scale_under_corrected(planted):
    embeddings, metadata = planted()
    sweep = Sweep(learning_rates=(0.05,), momenta=(0.9,), weight_decays=(1e-4,), classifier_epochs=5)
    scale = np.geomspace(1e-6, 1e6, embeddings.shape[1]).astype(np.float32)
    plain, scaled = (
        evaluate(
            EvaluationInput(each, metadata, options=EvaluationOptions(sweep=sweep)), tasks=["classification"]
        )["classification"]
        for each in (embeddings, embeddings * scale + 3 * scale)
    )
    for name, value in plain.metrics.items():
        np.testing.assert_allclose(scaled.metrics[name], value, atol=1e-3, err_msg=name)


def test_constant_features_become_zero():
    embeddings = np.full((10, 2), 1e4 / 3, dtype=np.float32)
    embeddings[:, 1] = np.arange(10)
    scaling = Scaling.standard(embeddings, np.ones(10, dtype=bool))
    scaled = (embeddings - scaling.shift) * scaling.factor
    assert (scaled[:, 0] == 0).all()
    assert scaled[:, 1].std() == pytest.approx(1, abs=1e-5)


def test_balanced_classes_raise_recall_of_the_rare_class(planted):
    embeddings, metadata = planted(per_group=5, controls=400, shift=1.0)
    sweep = Sweep(learning_rates=(0.05,), momenta=(0.9,), weight_decays=(1e-4,), classifier_epochs=10)
    recall = [
        evaluate(
            EvaluationInput(
                embeddings, metadata, options=EvaluationOptions(sweep=sweep, balance_classes=balance)
            ),
            tasks=["classification"],
        )["classification"].metrics["classification.recall"]
        for balance in (False, True)
    ]
    assert recall[1] > recall[0]
    with pytest.raises(InputError, match="balance_classes"):
        evaluate(
            EvaluationInput(
                embeddings, metadata, protocol="reference-1", options=EvaluationOptions(balance_classes=True)
            ),
            tasks=["classification"],
        )


def test_missing_classes_give_nan_and_a_warning():
    embeddings, labels = _data()
    metadata = _metadata(labels)
    no_train = EvaluationInput(embeddings, metadata.assign(Metadata_Split="test"))
    result = evaluate(no_train, tasks=["classification"])["classification"]
    assert np.isnan(list(result.metrics.values())).all()
    assert "training images" in result.warnings[0]

    no_validation = metadata.replace({"Metadata_Split": {"validation": "train"}})
    inputs = EvaluationInput(embeddings, no_validation, options=EvaluationOptions(sweep=SMALL))
    result = evaluate(inputs, tasks=["classification"])["classification"]
    assert "validation" in result.warnings[0]
    assert result.tables["grid"]["chosen"].tolist() == [True, False, False, False]


def test_settings_reach_the_networks_they_belong_to():
    embeddings, labels = _data(rows=40)
    points = [GridPoint(0.0, 0.9, 1e-3), GridPoint(0.1, 0.9, 1e-3)]
    grid = ClassifierGrid(24, size=2, seed=0)
    before = grid.weights[0].clone()
    grid.fit(
        embeddings, labels, np.arange(40), points, scaling=Scaling.none(24), epochs=1, batch_size=16, seed=0
    )
    after = grid.weights[0]
    assert (after[:256] == before[:256]).all()
    assert (after[256:] != before[256:]).any()
