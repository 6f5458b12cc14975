"""Grouped bootstrap intervals against scipy, scikit-learn and known answers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.auc import (
    Scored,
    roc_auc_draws,
    roc_auc_interval,
    roc_auc_interval_by_unit,
)
from morphobench.evaluation.bootstrap.interval import (
    MIN_GROUPS_BCA,
    from_draws,
    grouped_bootstrap,
    units_needed,
)


def _auc(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    return float(roc_auc_score(labels, scores)) if len(set(labels.tolist())) == 2 else math.nan


def _clustered(seed: int, groups: int, *, size: int = 10, spread: float = 1.0) -> tuple[Any, Any]:
    """Values around 0 whose groups (plates) have effects of their own."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(groups), size)
    return random.normal(size=groups)[labels] * spread + random.normal(size=len(labels)), labels


def test_the_fast_auc_equals_the_generic_bootstrap_with_scikit_learn() -> None:
    random = np.random.default_rng(3)
    scores, labels = random.normal(size=80).round(1), random.integers(0, 2, 80)  # rounded: ties
    plates = random.integers(0, 8, 80)
    fast = roc_auc_interval(scores, labels, plates, resamples=300, seed=5)
    slow = grouped_bootstrap(_auc, (labels, scores), plates, resamples=300, seed=5)
    assert fast.estimate == pytest.approx(roc_auc_score(labels, scores))
    assert (fast.low, fast.high, fast.units) == pytest.approx((slow.low, slow.high, 8))


def test_single_image_groups_agree_with_scipy_bca() -> None:
    sample = np.random.default_rng(0).gamma(2.0, size=40)
    ours = grouped_bootstrap(np.mean, (sample,), np.arange(40), resamples=8000, seed=1, method="bca")
    theirs = stats.bootstrap(
        (sample,), np.mean, method="BCa", n_resamples=8000, rng=np.random.default_rng(2)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_coverage_on_clustered_data_and_failure_of_the_image_bootstrap() -> None:
    grouped = by_image = 0
    for seed in range(100):
        values, plates = _clustered(seed, 10)
        one = grouped_bootstrap(np.mean, (values,), plates, resamples=400, seed=seed)
        grouped += one.low <= 0 <= one.high
        half = 1.96 * values.std() / math.sqrt(len(values))
        by_image += abs(values.mean()) <= half
    assert grouped >= 90
    assert by_image <= 70, "images as units must be seen to fail here, or the test shows nothing"


@pytest.mark.parametrize("pure", [False, True], ids=["plates with both classes", "wells of one class"])
def test_null_auc_is_inside_its_interval_in_90_of_100_seeds(pure: bool) -> None:
    inside = 0
    for seed in range(100):
        scores, groups = _clustered(seed, 24)
        random = np.random.default_rng([seed, 1])
        labels = groups % 2 if pure else random.integers(0, 2, len(groups))
        one = roc_auc_interval(scores, labels, groups, resamples=400, seed=seed)
        inside += one.low <= 0.5 <= one.high
    assert inside >= 90


def test_too_few_groups_give_no_interval_and_say_so() -> None:
    values, plates = _clustered(0, 3)
    one = grouped_bootstrap(np.mean, (values,), plates)
    assert not one
    assert one.estimate == pytest.approx(values.mean())
    assert str(one.reason) == f"3 groups, at least {units_needed(0.95)} needed"
    assert grouped_bootstrap(
        np.mean, _clustered(0, MIN_GROUPS_BCA - 1)[:1], _clustered(0, 19)[1], method="bca"
    ).reason
    assert units_needed(0.999) > units_needed(0.95) >= 6


def test_a_class_in_few_plates_gives_no_interval() -> None:
    labels = np.zeros(80, dtype=int)
    labels[:5] = 1  # every drug image on the first of 8 plates
    one = roc_auc_interval(np.arange(80.0), labels, np.repeat(np.arange(8), 10))
    assert math.isnan(one.low)
    assert "undefined" in str(one.reason)
    assert math.isnan(roc_auc_interval(np.arange(9.0), np.ones(9, dtype=int), np.arange(9)).estimate)


def test_same_seed_same_interval_and_group_names_do_not_matter() -> None:
    values, plates = _clustered(7, 9)
    first = grouped_bootstrap(np.median, (values,), plates, seed=4, resamples=300)
    assert first == grouped_bootstrap(np.median, (values,), plates, seed=4, resamples=300)
    named = np.array([f"plate {value}" for value in plates], dtype=object)
    assert first == grouped_bootstrap(np.median, (values,), named, seed=4, resamples=300)
    assert first != grouped_bootstrap(np.median, (values,), plates, seed=5, resamples=300)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": np.zeros(4)}, "groups must be one label per row"),
        ({"resamples": 10}, "resamples must be at least 200"),
        ({"confidence": 95.0}, "confidence must be"),
        ({"method": "magic"}, "method must be 'percentile' or 'bca'"),
        ({"strata": np.array([0, 1] * 6)}, "strata must be constant within each group"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"groups": np.repeat(np.arange(6), 2), **options}
    with pytest.raises(InputError, match=message):
        grouped_bootstrap(np.mean, (np.arange(12.0),), arguments.pop("groups"), **arguments)


def test_bad_labels_and_scores_are_named() -> None:
    with pytest.raises(InputError, match="labels must be 0"):
        roc_auc_interval(np.zeros(8), np.full(8, 2), np.arange(8))
    with pytest.raises(InputError, match="scores must be finite, got 1"):
        roc_auc_interval(np.array([math.nan] + [0.0] * 7), np.arange(8) % 2, np.arange(8))


def test_plates_are_the_units_and_wells_where_there_are_few_plates() -> None:
    scores, wells = _clustered(2, 24, spread=0.0)
    labels, plates = wells % 2, wells // 3
    by_plate = roc_auc_interval_by_unit(scores, labels, plates=plates, wells=wells, resamples=300)
    assert by_plate == replace(roc_auc_interval(scores, labels, plates, resamples=300), unit="plate")
    by_well = roc_auc_interval_by_unit(scores, labels, plates=wells // 12, wells=wells % 12, resamples=300)
    assert (by_well.unit, by_well.units, by_well.reason) == ("well", 12, None)  # 12 wells of each class
    assert by_well.low < by_well.estimate < by_well.high


def test_without_enough_plates_or_wells_the_reason_names_both() -> None:
    labels, wells = np.arange(40) % 2, np.repeat(np.arange(4), 10)
    one = roc_auc_interval_by_unit(np.arange(40.0), labels, plates=wells // 2, wells=wells)
    assert str(one.reason) == "2 plates and 4 wells, at least 6 needed"
    unknown = roc_auc_interval_by_unit(labels, labels, plates=None, wells=None)
    assert str(unknown.reason) == "neither plates nor wells are known"
    broken = np.full(40, math.nan)
    assert "not finite" in str(roc_auc_interval_by_unit(broken, labels, plates=wells, wells=None).reason)


def test_joint_draws_of_setups_equal_those_of_each_and_keep_them_paired() -> None:
    random = np.random.default_rng(1)
    labels, plates = random.integers(0, 2, 120), np.repeat(np.arange(10), 12)
    good = random.normal(size=120) + labels
    scores = np.stack([good, good + 1e-9 * random.normal(size=120), random.normal(size=120)])
    draws = roc_auc_draws([Scored(scores, labels, plates)], resamples=500, seed=3)
    for k in range(3):
        alone = roc_auc_interval(scores[k], labels, plates, resamples=500, seed=3)
        joint = from_draws(draws.estimates[k], draws.drawn[:, k], units=draws.units)
        assert joint == alone
    paired = draws.drawn @ [1.0, -1.0, 0.0]
    assert np.abs(paired).max() < 1e-12, "two setups that rank alike differ in no resample"


def test_joint_draws_average_over_seeds_with_their_own_test_plates() -> None:
    random = np.random.default_rng(2)
    parts = []
    for first in (0, 5):  # plates 0..9 and 5..14
        labels = random.integers(0, 2, 100)
        parts.append(Scored(random.normal(size=(2, 100)), labels, first + np.repeat(np.arange(10), 10)))
    draws = roc_auc_draws(parts, resamples=300)
    wanted = np.mean([[roc_auc_score(p.labels, row) for row in p.scores] for p in parts], axis=0)
    assert draws.estimates == pytest.approx(wanted)
    assert (draws.units, draws.drawn.shape) == (15, (300, 2))
    with pytest.raises(InputError, match="parts must be at least one"):
        roc_auc_draws([])
