"""Scores of clusterings against loops, hand counts and their edge cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from morphobench.evaluation.clustering.scores import (
    INTERNAL,
    agreement,
    best_row,
    consistency,
    homogeneity,
    internal_scores,
)
from tests.support import evaluation_oracles as oracles


def _points(rows=40, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, rows)
    return (generator.normal(size=(rows, 2)) + 2 * labels[:, None]).astype(np.float32), labels


@pytest.mark.parametrize("name", INTERNAL)
def test_internal_scores_by_loops(name):
    points, labels = _points()
    ours = internal_scores(points, labels)[name]
    assert ours == pytest.approx(getattr(oracles, name)(points.astype(float), labels), rel=1e-5)


def test_a_known_distance_matrix_changes_nothing():
    points, labels = _points()
    distances = metrics.pairwise_distances(points).astype(np.float32)
    with_matrix = internal_scores(points, labels, distances=distances)
    assert with_matrix == pytest.approx(internal_scores(points, labels), rel=1e-5)


@pytest.mark.parametrize("labels", [np.zeros(5, dtype=int), np.arange(5), np.full(5, -1)])
def test_scores_without_clusters_are_undefined(labels):
    points = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    assert np.isnan(list(internal_scores(points, labels).values())).all()
    assert set(internal_scores(points, labels, undefined=-1.0).values()) == {-1.0}


def test_consistency_by_hand():
    labels = np.asarray([0, 0, 0, 1, 1, 2, -1, -1])
    names = np.asarray(["a", "a", "b", "c", "c", "a", "x", "y"], dtype=object)
    assert consistency(labels, names) == 100  # of 50, 100 and 100
    assert consistency(labels[:3], names[:3]) == 50
    assert np.isnan(consistency(np.full(3, -1), names[:3]))


def test_homogeneity_is_explained_entropy():
    generator = np.random.default_rng(0)
    labels = generator.integers(-1, 4, 200)
    names = (
        np.where(generator.random(200) < 0.5, labels, generator.integers(0, 5, 200))
        .astype(str)
        .astype(object)
    )
    kept = labels >= 0
    conditional = sum(
        (labels[kept] == cluster).mean() * oracles.entropy(names[labels == cluster]) for cluster in range(4)
    )
    expected = 1 - conditional / oracles.entropy(names[kept])
    assert homogeneity(labels, names) == pytest.approx(expected)


def test_homogeneity_ends():
    names = np.asarray(list("aabb"), dtype=object)
    assert homogeneity(np.asarray([0, 0, 1, 1]), names) == pytest.approx(1)
    assert homogeneity(np.asarray([0, 1, 0, 1]), names) == pytest.approx(0)
    assert np.isnan(homogeneity(np.zeros(4, dtype=int), np.full(4, "a", dtype=object)))


def test_agreement_by_pairs():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, 50)
    names = np.where(generator.random(50) < 0.6, labels, 3).astype(str).astype(object)
    ari, nmi = agreement(labels, names)
    assert ari == pytest.approx(oracles.adjusted_rand(labels, names))
    joint = oracles.entropy(list(zip(labels, names, strict=True)))
    information = oracles.entropy(labels) + oracles.entropy(names) - joint
    assert nmi == pytest.approx(2 * information / (oracles.entropy(labels) + oracles.entropy(names)))
    assert np.isnan(agreement(labels, np.full(50, "one", dtype=object))).all()


def _table(**columns):
    return pd.DataFrame(columns)


def test_the_best_row_by_hand():
    table = _table(
        silhouette=[0.9, 0.8, 0.8, 0.7, 0.2, 0.1],
        davies_bouldin=[0.9, 0.3, 0.4, 0.35, 0.1, 0.1],
        noise=[0, 5, 5, 1, 0, 0],
        clusters=[9, 3, 4, 9, 9, 9],
    )
    # Median silhouette 0.75 keeps rows 0 to 2, their median Davies-Bouldin 0.4 rows 1 and 2, of equal noise.
    assert best_row(table) == 2
    table.loc[1, "clusters"] = 4
    table.loc[1, "silhouette"] = 0.85
    assert best_row(table) == 1


def test_rows_without_scores_are_never_best():
    nan = float("nan")
    table = _table(silhouette=[nan, 0.1], davies_bouldin=[nan, 2.0], noise=[0, 50], clusters=[0, 2])
    assert best_row(table) == 1
    assert best_row(table.iloc[:1]) is None
