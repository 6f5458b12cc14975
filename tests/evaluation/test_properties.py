"""What no metric may depend on: the order of rows, a scale where it is scale-free, images said twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.clustering.scores import agreement, consistency, homogeneity, internal_scores
from morphobench.evaluation.tasks.classification import binary_scores
from morphobench.options import TASK_NAMES
from tests.support.null_data import SWEEP, null_table

WHOLE = replace(SWEEP, classifier_batch=4096)
"""One batch an epoch, in which order plays no part."""


@pytest.fixture(scope="module")
def study() -> EvaluationInput:
    table = null_table(5, lines=("A549", "HT29"), effect=1.5)
    return replace(table, options=replace(table.options, sweep=WHOLE))


@pytest.fixture(scope="module")
def metrics(study: EvaluationInput) -> dict[str, dict[str, float]]:
    return {task: found(study, task) for task in TASK_NAMES if task != "clustering"}


def found(inputs: EvaluationInput, task: str) -> dict[str, float]:
    return evaluate(inputs, tasks=(task,))[task].metrics


@pytest.mark.parametrize("task", ["similarity", "classification", "profiling"])
def test_the_order_of_rows(task: str, study: EvaluationInput, metrics: dict[str, dict[str, float]]) -> None:
    order = np.random.default_rng(0).permutation(len(study.embeddings))
    shuffled = replace(study, embeddings=study.embeddings[order], metadata=study.metadata.iloc[order])
    # Random sets and rankings are drawn by row; what they decide is counted in whole groups.
    drawn = {"profiling.replicating", "profiling.matching"}
    after = found(shuffled, task)
    for name, value in metrics[task].items():
        if name not in drawn:
            assert after[name] == pytest.approx(value, rel=1e-4, nan_ok=True), name


@pytest.mark.parametrize("task", ["similarity", "classification", "profiling"])
@pytest.mark.parametrize("scale", [2.0**-20, 2.0**20])
def test_a_common_scale(
    task: str, scale: float, study: EvaluationInput, metrics: dict[str, dict[str, float]]
) -> None:
    after = found(replace(study, embeddings=study.embeddings * np.float32(scale)), task)
    for name, value in metrics[task].items():
        if name == "similarity.distance":
            assert after[name] == pytest.approx(scale * value, rel=1e-5)
        elif name.startswith("similarity.inverse_distance"):
            assert after[name] == pytest.approx(value / scale, rel=1e-4)
        else:
            assert after[name] == pytest.approx(value, rel=1e-4, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("task", ["similarity", "profiling"])
def test_every_image_said_twice(
    task: str, study: EvaluationInput, metrics: dict[str, dict[str, float]]
) -> None:
    """Medians over all pairs, and over a well's images, stay what they are."""
    twice = np.repeat(np.arange(len(study.embeddings)), 2)
    doubled = replace(study, embeddings=study.embeddings[twice], metadata=study.metadata.iloc[twice])
    after = found(doubled, task)
    for name, value in metrics[task].items():
        assert after[name] == pytest.approx(value, rel=1e-4, abs=1e-6, nan_ok=True), name


def test_scores_of_classifiers_and_clusters() -> None:
    """Order for all of them, copies where shares are counted, scale where points are measured."""
    random = np.random.default_rng(1)
    labels, probabilities = random.integers(0, 2, 50), random.uniform(size=50)
    clusters = random.integers(-1, 3, 50)
    points = (random.normal(size=(50, 2)) + clusters[:, None]).astype(np.float32)
    names = np.asarray([f"c{number % 4}" for number in range(50)], dtype=object)
    for rows in (random.permutation(50), np.repeat(np.arange(50), 3)):
        assert binary_scores(labels[rows], probabilities[rows]) == pytest.approx(
            binary_scores(labels, probabilities)
        )
        for score in (homogeneity, consistency):
            assert score(clusters[rows], names[rows]) == pytest.approx(score(clusters, names))
        own, other = (agreement(clusters[r], names[r]) for r in (np.arange(50), rows))
        assert other[1] == pytest.approx(own[1])
    order = random.permutation(50)
    assert agreement(clusters[order], names[order]) == pytest.approx(agreement(clusters, names))
    plain = internal_scores(points, clusters)
    moved = internal_scores(points[order] * 4 + 1, clusters[order])
    assert moved == pytest.approx(plain, rel=1e-4)
