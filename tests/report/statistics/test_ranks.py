"""Friedman's test and Nemenyi's critical difference against scipy, Demšar's tables and naive loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from morphobench.errors import InputError
from morphobench.report.statistics.ranks import critical_difference, friedman_p, indistinct, rank


@pytest.mark.parametrize(("setups", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_is_of_demsar_s_table(setups: int, q: float) -> None:
    wanted = q * math.sqrt(setups * (setups + 1) / (6 * 14))
    assert critical_difference(setups, 14) == pytest.approx(wanted, rel=1e-3)


def test_the_critical_difference_of_demsar_s_example() -> None:
    # JMLR 7:1, section 3.2.4: four classifiers on 14 data sets at 90 %
    assert critical_difference(4, 14, confidence=0.90) == pytest.approx(1.12, abs=0.01)


@pytest.mark.parametrize("ties", [False, True])
def test_friedman_is_scipy_s_chi_square_in_iman_and_davenport_s_form(ties: bool) -> None:
    values = np.random.default_rng(0).normal(size=(12, 5))
    values = values.round(0) if ties else values
    chi2 = stats.friedmanchisquare(*values.T).statistic
    f = 11 * chi2 / (12 * 4 - chi2)
    ours = friedman_p(stats.rankdata(-values, axis=1))
    assert ours == pytest.approx(stats.f.sf(f, 4, 44))


def test_friedman_is_at_its_level_under_the_null() -> None:
    random = np.random.default_rng(1)
    rejected = sum(friedman_p(stats.rankdata(random.normal(size=(8, 6)), axis=1)) < 0.05 for _ in range(1000))
    assert 30 <= rejected <= 75


def test_equal_and_identical_rankings() -> None:
    assert friedman_p(stats.rankdata(np.zeros((6, 3)), axis=1)) == 1
    assert friedman_p(np.tile([1.0, 2.0, 3.0], (6, 1))) == 0


def test_ranks_are_sorted_best_first_by_direction() -> None:
    values = np.asarray([[0.9, 0.1, 0.5]] * 6 + [[0.9, 0.5, 0.1]])
    up = rank(values, ["a", "b", "c"])
    assert up.names == ("a", "c", "b")
    assert up.ranks == pytest.approx((1, (2 * 6 + 3) / 7, (3 * 6 + 2) / 7))
    assert rank(values, ["a", "b", "c"], direction="down").names == ("b", "c", "a")
    with pytest.raises(InputError, match="direction must be up or down"):
        rank(values, ["a", "b", "c"], direction="none")


def test_too_few_blocks_are_ranked_but_not_compared() -> None:
    found = rank(np.random.default_rng(2).normal(size=(4, 3)), ["a", "b", "c"])
    assert found.reason == "4 blocks, at least 5 needed"
    assert math.isnan(found.critical_difference)
    assert found.groups == ()
    assert len(found.ranks) == 3


def test_blocks_with_a_gap_are_left_out() -> None:
    values = np.random.default_rng(3).normal(size=(7, 3))
    holed = values.copy()
    holed[2, 1] = np.nan
    assert rank(holed, ["a", "b", "c"]) == rank(np.delete(values, 2, axis=0), ["a", "b", "c"])


def test_groups_are_the_longest_runs_of_which_no_two_differ() -> None:
    ranks = np.asarray([1.0, 1.5, 2.4, 4.0, 4.9])
    naive = [(i, j) for i in range(5) for j in range(i + 1, 5) if ranks[j] - ranks[i] <= 1.0]
    longest = [r for r in naive if not any(o != r and o[0] <= r[0] and r[1] <= o[1] for o in naive)]
    assert list(indistinct(ranks, 1.0)) == longest == [(0, 1), (1, 2), (3, 4)]
    assert indistinct(ranks, 0.1) == ()
    assert indistinct(ranks, 9.0) == ((0, 4),)


def test_planted_order_is_found_and_noise_is_not() -> None:
    random = np.random.default_rng(4)
    values = random.normal(size=(21, 4)) + np.asarray([0.0, 1.5, 3.0, 4.5])
    found = rank(values, ["d", "c", "b", "a"])
    assert found.names == ("a", "b", "c", "d")
    assert found.p < 1e-6
    assert found.ranks[3] - found.ranks[0] > found.critical_difference
