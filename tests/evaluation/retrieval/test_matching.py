"""Nearest-neighbour matching against a plain search, and on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.evaluation.retrieval.matching import nearest, neighbour_accuracy
from tests.support.profiles import planted_profiles


@pytest.mark.parametrize("k", [1, 3, 50])
def test_neighbours_are_those_of_a_plain_search(k: int) -> None:
    generator = np.random.default_rng(0)
    profiles = generator.standard_normal((40, 6)).astype(np.float32)
    compounds, batches = generator.integers(-1, 4, 40), generator.integers(0, 3, 40)
    found = nearest(profiles, k=k, apart=(compounds, batches))
    unit = profiles / np.linalg.norm(profiles, axis=1, keepdims=True)
    for i in range(40):
        admissible = [
            j
            for j in range(40)
            if j != i and (compounds[j] != compounds[i] or compounds[j] < 0) and batches[j] != batches[i]
        ]
        expected = sorted(admissible, key=lambda j: 1 - float(unit[i] @ unit[j]))[:k]
        assert found[i].tolist() == expected + [-1] * (k - len(expected))


def test_matching_ignores_the_own_compound_and_batch() -> None:
    """Compounds and batches shine brighter than mechanisms: only their exclusion shows the mechanism."""
    compounds = np.repeat(np.arange(12), 8)
    mechanisms, batches = compounds // 3, np.tile(np.arange(4), 24)
    profiles = planted_profiles(mechanisms, strength=1.2) + planted_profiles(compounds, strength=0.8, seed=1)
    profiles += planted_profiles(batches, strength=1.0, seed=2)
    own = neighbour_accuracy(profiles, compounds)
    nsc = neighbour_accuracy(profiles, mechanisms, apart=(compounds,))
    nscb = neighbour_accuracy(profiles, mechanisms, apart=(compounds, batches))
    assert own.queries == nsc.queries == nscb.queries == 96
    assert own.accuracy > 2 * own.chance
    assert nscb.accuracy > 2 * nscb.chance
    assert nsc.chance == pytest.approx(16 / 88)
    assert own.chance == pytest.approx(7 / 95)


def test_profiles_that_cannot_be_answered_are_not_asked() -> None:
    labels = np.array([0, 0, 1, 1, 2, -1])
    compounds = np.array([0, 1, 2, 2, 3, 4])
    profiles = planted_profiles(np.arange(6), strength=3)
    found = neighbour_accuracy(profiles, labels, apart=(compounds,))
    assert found.queries == 2
    assert found.chance == pytest.approx(1 / 4)
    nothing = neighbour_accuracy(profiles, np.full(6, -1))
    assert (np.isnan(nothing.accuracy), nothing.queries) == (True, 0)


def test_votes_are_counted_and_the_nearest_breaks_ties() -> None:
    angles = np.array([0.0, 0.1, 0.25, 0.45, 3.0])
    profiles = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labels = np.array([0, 0, 1, 0, 1])
    assert neighbour_accuracy(profiles, labels, k=2).accuracy == pytest.approx(2 / 5)
    assert neighbour_accuracy(profiles, labels, k=3).accuracy == pytest.approx(3 / 5)


def test_null_profiles_match_at_chance() -> None:
    labels = np.repeat(np.arange(5), 40)
    found = [neighbour_accuracy(planted_profiles(labels, strength=0, seed=seed), labels) for seed in range(8)]
    assert np.mean([one.accuracy for one in found]) == pytest.approx(found[0].chance, abs=0.05)


def test_wrong_arguments_are_refused() -> None:
    profiles, codes = np.ones((4, 2), np.float32), np.zeros(4, np.int64)
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        nearest(profiles, k=0)
    with pytest.raises(InputError, match=r"apart\[0\] must have shape"):
        nearest(profiles, apart=(codes[:2],))
