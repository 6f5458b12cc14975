"""Linear probe on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.evaluation.retrieval.linear_probe import linear_probe
from tests.support.profiles import planted_profiles


def test_the_probe_reads_what_is_linear_and_nothing_else() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 600)
    part = generator.integers(0, 3, 600)
    parts = {"train": part == 0, "validation": part == 1, "test": part == 2}
    strong = linear_probe(planted_profiles(labels, strength=1.5), labels, **parts)
    none = linear_probe(planted_profiles(labels, strength=0), labels, **parts)
    assert strong.balanced_accuracy > 0.9
    assert none.balanced_accuracy == pytest.approx(none.chance, abs=0.1)
    assert strong.chance == pytest.approx(1 / 3)
    flipped = linear_probe(planted_profiles(labels, strength=1.5) * -1e6, labels, **parts)
    assert flipped.balanced_accuracy == pytest.approx(strong.balanced_accuracy)


def test_the_probe_says_when_there_is_nothing_to_learn() -> None:
    labels = np.zeros(9, np.int64)
    rows = np.arange(9) % 3
    found = linear_probe(
        planted_profiles(labels, strength=1), labels, train=rows == 0, validation=rows == 1, test=rows == 2
    )
    assert np.isnan(found.accuracy)


def test_wrong_arguments_are_refused() -> None:
    profiles, rows = np.ones((4, 2), np.float32), np.ones(4, bool)
    with pytest.raises(InputError, match="strengths must be at least one"):
        linear_probe(profiles, np.zeros(4, np.int64), train=rows, validation=rows, test=rows, strengths=())
