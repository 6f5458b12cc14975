"""Statistics of resamples against the same computed from rows repeated as often as they were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from morphobench.evaluation import distances
from morphobench.evaluation.bootstrap.classification import confusion_counts, scores_of
from morphobench.evaluation.bootstrap.clustering import adjusted_rand_draws
from morphobench.evaluation.bootstrap.resampling import (
    Units,
    mean_interval,
    median_defined,
    plates_or_wells,
    share_interval,
)
from morphobench.evaluation.bootstrap.similarity import median_draws
from morphobench.evaluation.tasks.classification import binary_scores


@pytest.fixture
def drawn():
    """40 rows in 8 units, and how often each unit was drawn in 5 resamples, the first the data themselves."""
    random = np.random.default_rng(0)
    code = random.permutation(np.arange(40) % 8)
    weights = np.vstack([np.ones(8), random.multinomial(8, np.full(8, 1 / 8), 4)])
    return code, weights


def repeated(code, weights):
    """Row numbers of each resample, a row as often as its unit."""
    return [np.repeat(np.arange(len(code)), row[code].astype(int)) for row in weights]


def test_scores_of_counts(drawn) -> None:
    code, weights = drawn
    random = np.random.default_rng(1)
    labels, probabilities = random.integers(0, 2, 40), random.uniform(size=40)
    units = Units.of(code.astype(str), "plate")
    found = scores_of(weights @ units.sums(confusion_counts(labels, probabilities)))
    for resample, rows in enumerate(repeated(code, weights)):
        expected = binary_scores(labels[rows], probabilities[rows])
        for name, values in found.items():
            assert values[resample] == pytest.approx(expected[name])


def test_the_adjusted_rand_index_of_pairs_of_different_images(drawn) -> None:
    code, weights = drawn
    random = np.random.default_rng(2)
    labels, names = random.integers(0, 3, 40), np.asarray(list("abcd"), dtype=object)[np.arange(40) % 4]
    found = adjusted_rand_draws(labels, names, code, weights)
    assert found[0] == pytest.approx(metrics.adjusted_rand_score(names.astype(str), labels))
    for resample, rows in enumerate(repeated(code, weights)):
        first, second = np.triu_indices(len(rows), 1)
        different = rows[first] != rows[second]
        first, second = rows[first[different]], rows[second[different]]
        in_cluster, of_name = labels[first] == labels[second], names[first] == names[second]
        joint, a, b = (in_cluster & of_name).sum(), in_cluster.sum(), of_name.sum()
        expected = a * b / len(first)
        assert found[resample] == pytest.approx((joint - expected) / ((a + b) / 2 - expected))


@pytest.mark.parametrize("rows", [(40, 60), (300, 400)], ids=["at once", "in blocks"])
@pytest.mark.parametrize("metric", distances.METRICS)
def test_medians_of_resampled_pairs(metric: str, rows: tuple[int, int]) -> None:
    """Read between the edges of bins: near, not equal."""
    random = np.random.default_rng(3)
    a, b = (random.normal(1, 1, size=(count, 5)).astype(np.float32) for count in rows)
    units_a, units_b = np.arange(rows[0]) % 8, np.arange(rows[1]) % 8
    weights = np.vstack([np.ones(8), random.multinomial(8, np.full(8, 1 / 8), 20)])
    found = median_draws(a, b, metric, units_a, units_b, weights)
    matrix = distances.pairwise(a, b, metric)
    expected = [
        np.median(matrix[np.ix_(*pair)])
        for pair in zip(repeated(units_a, weights), repeated(units_b, weights), strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=0.03 * matrix.std())


def test_ratios_and_shares() -> None:
    random = np.random.default_rng(4)
    hits = random.uniform(size=400) < 0.3
    units = Units.of(np.repeat(np.arange(40), 10), "compound")
    plain = mean_interval(hits, units, seed=0)
    share = share_interval(hits, units, seed=0)
    assert plain.estimate == share.estimate == pytest.approx(hits.mean())
    assert (share.low, share.high) == pytest.approx((plain.low, plain.high), abs=0.02)
    assert (share.unit, share.units) == ("compound", 40)
    # Where nothing varies, as many trials as units: the rule of three, about 3 / 40.
    empty = share_interval(np.zeros(400, dtype=bool), units, seed=0)
    assert empty.low == 0
    assert 0.05 < empty.high < 0.12
    # Rows that repeat their unit say no more than the units do.
    alike = np.repeat(random.uniform(size=40) < 0.3, 10)
    assert np.ptp(np.array([share_interval(alike, units, seed=0).pair])) > 1.8 * np.ptp(
        np.array([share.pair])
    )


def test_too_few_units_give_a_reason() -> None:
    few = share_interval(np.ones(20, dtype=bool), Units.of(np.arange(20) % 5, "compound"), seed=0)
    assert not few
    assert str(few.reason) == "5 compounds, at least 6 needed"
    skewed = mean_interval(np.linspace(0.1, 0.9, 20), Units.of(np.arange(20) % 11, "mechanism"), seed=0)
    assert not skewed
    assert str(skewed.reason) == "11 mechanisms, at least 12 needed"
    names = np.asarray([f"P{row % 3}" for row in range(30)], dtype=object)
    wells = np.asarray([f"A{row % 5}" for row in range(30)], dtype=object)
    assert str(plates_or_wells(names, None)) == "3 plates, at least 6 needed"
    assert str(plates_or_wells(None, None)) == "neither plates nor wells are known"
    found = plates_or_wells(names, wells)
    assert isinstance(found, Units)
    assert (found.unit, found.count) == ("well", 15)
    layered = plates_or_wells(names, wells, strata=names)
    assert str(layered) == "3 plates and 5 wells, at least 6 needed"


def test_medians_leave_out_what_is_undefined() -> None:
    values = np.array([[1, np.nan, 5, 2], [np.nan] * 4, [3, np.nan, np.nan, np.nan], [4, 1, 2, 3]])
    np.testing.assert_array_equal(median_defined(values), [2, np.nan, 3, 2.5])
