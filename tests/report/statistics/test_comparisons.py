"""Holm, paired intervals and effect sizes against scipy, naive loops and known answers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from morphobench.errors import InputError
from morphobench.report.statistics.comparisons import (
    compare,
    hedges_g,
    holm,
    mean_interval,
    share_better,
    sign_flip_p,
)


def _holm_by_definition(p: list[float]) -> list[float]:
    """Reject in order while p(i) <= alpha / (m - i): the smallest alpha at which each is rejected."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    return [
        min(1.0, max(p[order[j]] * (len(p) - j) for j in range(order.index(i) + 1))) for i in range(len(p))
    ]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12, unique=True))
def test_holm_is_its_definition(p: list[float]) -> None:
    assert holm(p) == pytest.approx(_holm_by_definition(p))


def test_holm_of_a_known_example_and_untested_ones() -> None:
    # Holm 1979's procedure on the textbook example 0.01, 0.04, 0.03, 0.005
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)


def test_the_interval_and_p_are_scipy_s_t_test() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, size=9)
    low, high, p = mean_interval(values)
    theirs = stats.ttest_1samp(values, 0)
    assert (low, high) == pytest.approx(theirs.confidence_interval(0.95))
    assert p == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("blocks", [3, 5, 20])
def test_95_percent_intervals_hold_in_90_of_100_seeds(blocks: int) -> None:
    inside = 0
    for seed in range(100):
        low, high, _ = mean_interval(np.random.default_rng(seed).normal(0.2, 0.1, size=blocks))
        inside += low <= 0.2 <= high
    assert inside >= 90


def test_fewer_than_three_blocks_give_no_interval_and_say_so() -> None:
    one = compare(np.asarray([[0.5, 0.6], [0.5, 0.7]]), ["a", "b"])[0]
    assert one.difference == pytest.approx(-0.15)
    assert math.isnan(one.low)
    assert math.isnan(one.p_holm)
    assert math.isnan(one.effect)
    assert one.reason == "2 blocks, at least 3 needed"


@pytest.mark.parametrize(
    ("undefined", "reason"),
    [(3, "no seed gives both a value"), (1, "2 of 3 seeds give both a value, at least 3 needed")],
)
def test_seeds_in_which_a_value_is_undefined_are_told_from_seeds_that_were_not_run(
    undefined: int, reason: str
) -> None:
    values = np.random.default_rng(0).normal(size=(3, 2))
    values[:undefined, 0] = math.nan
    (one,) = compare(values, ["a", "b"], unit="seed")
    assert one.reason == reason
    assert one.blocks == 3 - undefined


def test_equal_differences_have_no_spread() -> None:
    assert mean_interval(np.full(4, 0.5)) == (0.5, 0.5, 0.0)
    assert mean_interval(np.zeros(4)) == (0.0, 0.0, 1.0)
    assert hedges_g(np.full(4, -0.5)) == -math.inf
    assert hedges_g(np.zeros(4)) == 0


def test_hedges_correction_makes_d_unbiased() -> None:
    truth, blocks = 0.8, 6
    values = np.random.default_rng(1).normal(truth, 1.0, size=(20_000, blocks))
    corrected = np.asarray([hedges_g(row) for row in values])
    plain = values.mean(axis=1) / values.std(axis=1, ddof=1)
    assert corrected.mean() == pytest.approx(truth, abs=0.02)
    assert plain.mean() > truth + 0.1, "without the correction it is biased, or the test shows nothing"


def test_sign_flips_are_the_loop_over_all_signs_and_scipy() -> None:
    differences = np.random.default_rng(2).normal(0.5, 1, size=8)
    flipped = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product([1, -1], repeat=8)
    ]
    wanted = np.mean([value >= abs(differences.sum()) - 1e-12 for value in flipped])
    assert sign_flip_p(differences) == pytest.approx(wanted)
    theirs = stats.permutation_test(
        (differences, np.zeros(8)),
        lambda a, b: np.mean(a - b),
        permutation_type="samples",
        n_resamples=2**8,  # all of them
    ).pvalue
    assert sign_flip_p(differences) == pytest.approx(theirs)
    assert sign_flip_p(np.asarray([1.0, 2.0, 3.0])) == 0.25
    many = np.random.default_rng(3).normal(0.0, 1, size=40)
    assert sign_flip_p(many) == pytest.approx(stats.ttest_1samp(many, 0).pvalue, abs=0.03)


def test_compare_pairs_blocks_and_corrects_over_all() -> None:
    random = np.random.default_rng(4)
    block = random.normal(0, 1, size=(8, 1))  # what makes a block easy drops out of the differences
    values = block + np.asarray([0.0, 0.02, 0.5]) + 0.02 * random.normal(size=(8, 3))
    found = {(one.one, one.other): one for one in compare(values, ["a", "b", "c"])}
    assert len(found) == 3
    assert found["a", "c"].p_holm < 1e-6
    assert found["a", "c"].better == 0
    theirs = stats.ttest_rel(values[:, 0], values[:, 2]).confidence_interval(0.95)
    assert (found["a", "c"].low, found["a", "c"].high) == pytest.approx(theirs)
    assert stats.ttest_ind(values[:, 0], values[:, 2]).pvalue > 0.05, "unpaired, it would not be seen"
    assert [one.p_holm for one in found.values()] == pytest.approx(holm([one.p for one in found.values()]))


def test_compare_with_a_reference_and_missing_values() -> None:
    values = np.asarray([[1.0, 2.0, 3.0], [1.0, np.nan, 3.0], [1.5, 2.0, 3.5], [1.0, 2.5, 3.0]])
    found = compare(values, ["a", "b", "c"], reference="b", direction="down")
    assert [(one.one, one.other, one.blocks) for one in found] == [("a", "b", 3), ("c", "b", 3)]
    assert [one.better for one in found] == [1.0, 0.0]
    with pytest.raises(InputError, match="reference must be one of a, b, c"):
        compare(values, ["a", "b", "c"], reference="d")
    with pytest.raises(InputError, match=r"values must be \(blocks, 2\)"):
        compare(values, ["a", "b"])


def test_ties_count_half() -> None:
    assert share_better(np.asarray([1.0, 0.0, -1.0, -1.0])) == 0.375
    assert math.isnan(share_better(np.asarray([1.0]), direction="none"))
