"""Retrieval against a plain ranking, against copairs, and on data whose answer is known."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.evaluation.retrieval.average_precision import (
    average_precision,
    mean_average_precision,
    null_average_precision,
)
from morphobench.evaluation.retrieval.matching import nearest
from morphobench.measure import run_isolated

Codes = NDArray[np.int64]


def planted(groups: Codes, *, strength: float, features: int = 20, seed: int = 0) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((groups.max() + 1, features)) * strength
    return (generator.standard_normal((len(groups), features)) + centres[groups]).astype(np.float32)


def plain_precision(
    profiles: NDArray[np.float32],
    groups: Codes,
    controls: NDArray[np.bool_] | None,
    strata: Codes,
    apart: Codes | None,
) -> list[float]:
    """By sorting each query's candidates, one at a time."""
    unit = profiles.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    result = []
    for i, query in enumerate(unit):
        relevant, similarities = [], []
        for j, other in enumerate(unit):
            if i == j or strata[i] != strata[j] or groups[i] < 0 or (controls is not None and controls[i]):
                continue
            is_control = controls is not None and controls[j]
            same = groups[i] == groups[j] and not is_control
            if same and (apart is None or apart[i] != apart[j]):
                relevant.append(1)
            elif is_control or (controls is None and not same and groups[j] >= 0):
                relevant.append(0)
            else:
                continue
            similarities.append(query @ other)
        hits = np.array(relevant, dtype=np.float64)[np.argsort(-np.array(similarities))]
        if hits.sum() in (0, len(hits)):
            result.append(np.nan)
        else:
            result.append(float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits == 1].mean()))
    return result


@pytest.mark.parametrize("with_controls", [True, False])
@pytest.mark.parametrize("with_apart", [True, False])
@pytest.mark.parametrize("group_count", [3, 12])
def test_a_plain_ranking_agrees(with_controls: bool, with_apart: bool, group_count: int) -> None:
    generator = np.random.default_rng(group_count)
    groups = generator.integers(-1, group_count, 120)
    profiles = planted(groups + 1, strength=0.5)
    strata = generator.integers(0, 2, 120)
    controls = (generator.random(120) < 0.3) if with_controls else None
    apart = generator.integers(0, 4, 120) if with_apart else None
    found = average_precision(profiles, groups, controls=controls, strata=strata, apart=apart)
    expected = plain_precision(profiles, groups, controls, strata, apart)
    np.testing.assert_allclose(found.average_precision, expected, rtol=1e-12)


def test_equal_distances_gain_nothing() -> None:
    """Profiles all alike: positives lie evenly among the negatives, wherever they stand in the table."""
    groups = np.array([0] * 10 + [1] * 30)
    found = average_precision(np.ones((40, 5), np.float32), groups)
    # With p positives and n negatives tied, the m-th positive is expected at rank m (p + n + 1) / (p + 1).
    assert found.average_precision[:10] == pytest.approx([10 / 40] * 10)
    assert found.average_precision[10:] == pytest.approx([30 / 40] * 30)


def test_zero_profiles_are_like_nothing() -> None:
    profiles = planted(np.repeat([0, 1], 6), strength=5)
    profiles[0] = 0
    found = average_precision(profiles, np.repeat([0, 1], 6))
    assert np.isfinite(found.average_precision).all()
    assert found.average_precision[6:] == pytest.approx(1.0)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    groups = generator.integers(0, 5, 60)
    profiles = planted(groups, strength=0.7, seed=seed)
    order = generator.permutation(60)
    found = average_precision(profiles, groups)
    shuffled = average_precision(profiles[order], groups[order])
    np.testing.assert_allclose(shuffled.average_precision, found.average_precision[order], rtol=1e-12)
    scaled = average_precision(profiles * np.float32(1e-20), groups)
    np.testing.assert_allclose(scaled.average_precision, found.average_precision, rtol=1e-12)


def test_copairs_agrees() -> None:
    copairs_map = pytest.importorskip("copairs.map", reason="copairs is not installed (extra: copairs)")
    generator = np.random.default_rng(0)
    groups = np.concatenate([np.repeat(np.arange(12), 5), np.full(30, -1)])
    controls = groups < 0
    profiles = planted(groups + 1, strength=0.35, features=30)
    plates = generator.integers(0, 3, len(groups))
    table = pd.DataFrame({"group": groups, "control": controls, "plate": plates})
    features = pd.DataFrame(profiles)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = copairs_map.average_precision(
            table.assign(treatment=np.where(controls, "none", groups.astype(str))),
            features.to_numpy(),
            pos_sameby=["treatment"],
            pos_diffby=[],
            neg_sameby=[],
            neg_diffby=["control", "treatment"],
            progress_bar=False,
        )
        theirs = theirs[~theirs["control"]]
        theirs_map = copairs_map.mean_average_precision(
            theirs, ["group"], null_size=2000, threshold=0.05, seed=0, progress_bar=False
        ).sort_values("group")
    ours = average_precision(profiles, groups, controls=controls)
    queries = ~controls
    np.testing.assert_allclose(
        ours.average_precision[queries], theirs.sort_index()["average_precision"], rtol=1e-6
    )
    assert (ours.positives[queries] == theirs.sort_index()["n_pos_pairs"]).all()
    assert (ours.candidates[queries] == theirs.sort_index()["n_total_pairs"]).all()
    ours_map = mean_average_precision(ours, groups, null_size=2000)
    np.testing.assert_allclose(
        ours_map.mean_average_precision, theirs_map["mean_average_precision"], rtol=1e-6
    )
    np.testing.assert_allclose(ours_map.p_values, theirs_map["p_value"], atol=0.05)
    np.testing.assert_allclose(ours_map.q_values, theirs_map["corrected_p_value"], atol=0.07)


@pytest.mark.parametrize(("positives", "candidates"), [(1, 4), (2, 5), (3, 200), (40, 60), (7, 7)])
def test_the_null_is_that_of_random_rankings(positives: int, candidates: int) -> None:
    generator = np.random.default_rng(1)
    hits = np.arange(candidates) < positives
    plain = []
    for _ in range(4000):
        relevant = generator.permutation(hits)
        plain.append((np.cumsum(relevant) / np.arange(1, candidates + 1))[relevant].mean())
    ours = null_average_precision(positives, candidates, null_size=4000, seed=0)
    assert ours.mean() == pytest.approx(np.mean(plain), abs=4 * np.std(plain) / 60)
    assert ours.std() == pytest.approx(np.std(plain), rel=0.1, abs=1e-12)
    assert np.array_equal(ours, null_average_precision(positives, candidates, null_size=4000, seed=0))


def test_null_data_is_significant_as_often_as_said() -> None:
    groups = np.repeat(np.arange(40), 4)
    small = []
    for seed in range(10):
        profiles = planted(groups, strength=0, seed=seed)
        found = mean_average_precision(average_precision(profiles, groups), groups, null_size=400)
        small.append(np.mean(found.p_values <= 0.05))
        assert (found.q_values >= found.p_values - 1e-12).all()
    assert np.mean(small) <= 0.08


def test_stronger_effects_are_retrieved_better() -> None:
    groups = np.repeat(np.arange(20), 5)
    means = []
    for strength in (0.0, 0.3, 0.6, 2.5):
        profiles = planted(groups, strength=strength)
        found = mean_average_precision(average_precision(profiles, groups), groups)
        means.append(found.mean_average_precision.mean())
    assert means == sorted(means)
    assert means[-1] > 0.9
    assert (found.q_values < 0.05).all()


def test_memory_stays_far_below_that_of_all_pairs() -> None:
    """The 4,000 x 4,000 float32 distances alone would be 64 MB."""
    groups = np.repeat(np.arange(1000), 4)
    profiles = planted(groups, strength=1, features=4)
    tracemalloc.start()
    try:
        average_precision(profiles, groups)
        retrieval_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        nearest(profiles, k=5, apart=(groups,))
        neighbours_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert retrieval_bytes < 28e6
    assert neighbours_bytes < 28e6


@pytest.mark.slow
def test_fifty_thousand_profiles_in_bounded_memory() -> None:
    """Their float32 distances alone would be 10 GB (copairs, issue 90: 14 GiB for 9,216 profiles)."""
    kwargs = {"profiles": 50_000, "features": 64}
    judged = run_isolated("tests.support.evaluation_memory_targets:profiles_judged", kwargs).value
    above_bytes, precision, accuracy = judged
    assert above_bytes < 500e6
    assert precision > 0.9
    assert accuracy > 0.9


def test_wrong_arguments_are_refused() -> None:
    profiles = np.ones((4, 2), np.float32)
    groups = np.array([0, 0, 1, 1])
    with pytest.raises(InputError, match=r"groups must have shape \(4,\), got \(3,\)"):
        average_precision(profiles, groups[:3])
    with pytest.raises(InputError, match=r"profiles must be \(N, D\)"):
        average_precision(profiles[0], groups)
    with pytest.raises(InputError, match="null_size must be at least 1, got 0"):
        mean_average_precision(average_precision(profiles, groups), groups, null_size=0)
    with pytest.raises(InputError, match="positives must be 1 to 3"):
        null_average_precision(4, 3, null_size=1, seed=0)
