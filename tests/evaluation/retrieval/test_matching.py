"""Neighbours against a plain search; probe and replicates on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.evaluation.retrieval.matching import (
    linear_probe,
    nearest,
    neighbour_accuracy,
    replicability,
)

Codes = NDArray[np.int64]


def planted(groups: Codes, *, strength: float, features: int = 20, seed: int = 0) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((groups.max() + 1, features)) * strength
    return (generator.standard_normal((len(groups), features)) + centres[groups]).astype(np.float32)


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
    profiles = planted(mechanisms, strength=1.2) + planted(compounds, strength=0.8, seed=1)
    profiles += planted(batches, strength=1.0, seed=2)
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
    profiles = planted(np.arange(6), strength=3)
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
    found = [neighbour_accuracy(planted(labels, strength=0, seed=seed), labels) for seed in range(8)]
    assert np.mean([one.accuracy for one in found]) == pytest.approx(found[0].chance, abs=0.05)


def test_replicates_beat_the_null_where_there_is_an_effect() -> None:
    groups = np.repeat(np.arange(60), 4)
    shares = [replicability(planted(groups, strength=s), groups).share for s in (0.0, 0.4, 0.8, 2.0)]
    assert shares[0] <= 0.15
    assert shares[1:] == sorted(shares[1:])
    assert shares[-1] == 1.0


def test_median_correlation_is_that_of_all_pairs() -> None:
    groups = np.array([0, 0, 0, 1, 1, 2, -1, -1])
    profiles = planted(groups + 1, strength=1)
    found = replicability(profiles, groups, null_size=50)
    assert found.groups.tolist() == [0, 1]
    correlation = np.corrcoef(profiles)
    assert found.median_correlation[0] == pytest.approx(
        np.median([correlation[0, 1], correlation[0, 2], correlation[1, 2]])
    )
    assert found.median_correlation[1] == pytest.approx(correlation[3, 4])
    alone = replicability(profiles, np.arange(8))
    assert (len(alone.groups), np.isnan(alone.share)) == (0, True)


def test_the_probe_reads_what_is_linear_and_nothing_else() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 600)
    part = generator.integers(0, 3, 600)
    parts = {"train": part == 0, "validation": part == 1, "test": part == 2}
    strong = linear_probe(planted(labels, strength=1.5), labels, **parts)
    none = linear_probe(planted(labels, strength=0), labels, **parts)
    assert strong.balanced_accuracy > 0.9
    assert none.balanced_accuracy == pytest.approx(none.chance, abs=0.1)
    assert strong.chance == pytest.approx(1 / 3)
    flipped = linear_probe(planted(labels, strength=1.5) * -1e6, labels, **parts)
    assert flipped.balanced_accuracy == pytest.approx(strong.balanced_accuracy)


def test_the_probe_says_when_there_is_nothing_to_learn() -> None:
    labels = np.zeros(9, np.int64)
    rows = np.arange(9) % 3
    found = linear_probe(
        planted(labels, strength=1), labels, train=rows == 0, validation=rows == 1, test=rows == 2
    )
    assert np.isnan(found.accuracy)


def test_wrong_arguments_are_refused() -> None:
    profiles, codes = np.ones((4, 2), np.float32), np.zeros(4, np.int64)
    with pytest.raises(InputError, match="k: at least 1 wanted, got 0"):
        nearest(profiles, k=0)
    with pytest.raises(InputError, match=r"apart\[0\]: shape"):
        nearest(profiles, apart=(codes[:2],))
    with pytest.raises(InputError, match="null_size, quantile"):
        replicability(profiles, codes, quantile=2)
    with pytest.raises(InputError, match="strengths: at least one"):
        linear_probe(profiles, codes, train=codes == 0, validation=codes == 0, test=codes == 0, strengths=())
