"""Aggregation against plain formulas."""

from __future__ import annotations

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.evaluation.profiles.aggregate import aggregate
from morphobench.types import Aggregate


def rows(count: int, features: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, features), dtype=np.float32)


@pytest.mark.parametrize("how", ["median", "mean"])
def test_profiles_are_those_of_each_group_s_rows(how: Aggregate) -> None:
    embeddings, groups = rows(50), np.random.default_rng(1).integers(-1, 6, 50)
    profiles, first = aggregate(embeddings, groups, how=how)
    names = np.unique(groups[groups >= 0])
    assert profiles.shape == (len(names), 5)
    assert groups[first].tolist() == names.tolist()
    for profile, name, start in zip(profiles, names, first, strict=True):
        assert start == np.flatnonzero(groups == name)[0]
        np.testing.assert_allclose(profile, getattr(np, how)(embeddings[groups == name], axis=0), rtol=1e-5)


def test_aggregation_refuses_what_it_cannot_read() -> None:
    with pytest.raises(InputError, match="how must be mean or median, got 'mode'"):
        aggregate(rows(3), np.zeros(3, np.int64), how="mode")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least one group"):
        aggregate(rows(3), np.full(3, -1))
    with pytest.raises(InputError, match="one number per row"):
        aggregate(rows(3), np.zeros(2, np.int64))
