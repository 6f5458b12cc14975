"""Percent replicating on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.evaluation.retrieval.replicability import replicability
from tests.support.profiles import planted_profiles


def test_replicates_beat_the_null_where_there_is_an_effect() -> None:
    groups = np.repeat(np.arange(60), 4)
    shares = [replicability(planted_profiles(groups, strength=s), groups).share for s in (0.0, 0.4, 0.8, 2.0)]
    assert shares[0] <= 0.15
    assert shares[1:] == sorted(shares[1:])
    assert shares[-1] == 1.0


def test_median_correlation_is_that_of_all_pairs() -> None:
    groups = np.array([0, 0, 0, 1, 1, 2, -1, -1])
    profiles = planted_profiles(groups + 1, strength=1)
    found = replicability(profiles, groups, null_size=50)
    assert found.groups.tolist() == [0, 1]
    correlation = np.asarray(np.corrcoef(profiles))
    assert found.median_correlation[0] == pytest.approx(
        np.median([correlation[0, 1], correlation[0, 2], correlation[1, 2]])
    )
    assert found.median_correlation[1] == pytest.approx(correlation[3, 4])
    alone = replicability(profiles, np.arange(8))
    assert (len(alone.groups), np.isnan(alone.share)) == (0, True)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="quantile 0 to 1, got 1000 and 2"):
        replicability(np.ones((4, 2), np.float32), np.zeros(4, np.int64), quantile=2)
