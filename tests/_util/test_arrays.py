"""Rows drawn of many."""

from __future__ import annotations

import numpy as np

from morphobench._util.arrays import thinned


def test_no_more_rows_than_asked_for_stay_as_they_are() -> None:
    rows = np.arange(3, 9)
    assert thinned(rows, 6, seed=0) is rows


def test_of_more_rows_so_many_are_drawn_in_order() -> None:
    rows = np.arange(100, 1100)
    drawn = thinned(rows, 50, seed=0)
    assert len(drawn) == len(set(drawn.tolist())) == 50
    assert (np.diff(drawn) > 0).all()
    assert np.isin(drawn, rows).all()
    assert drawn.tolist() == thinned(rows, 50, seed=0).tolist()
    assert drawn.tolist() != thinned(rows, 50, seed=1).tolist()
