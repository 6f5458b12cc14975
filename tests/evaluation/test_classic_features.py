"""Classic features: the mask and the filling here, cp-measure's own numbers where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.evaluation.classic_features import central_object, classic_features, filled


def disc(radius: float, *, at: tuple[int, int] = (32, 32), level: float = 0.8) -> np.ndarray:
    rows, columns = np.mgrid[:64, :64]
    return np.where(np.hypot(rows - at[0], columns - at[1]) <= radius, level, 0.1)


def test_what_cannot_be_measured_is_the_median_and_an_empty_feature_is_left_out() -> None:
    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.inf], [5.0, np.nan, 7.0]])
    np.testing.assert_allclose(filled(values), [[1, 3], [3, 5], [5, 7]])


def test_the_object_in_the_middle_is_taken() -> None:
    pytest.importorskip("skimage", reason="scikit-image is not installed (extra: classic)")
    both = np.maximum(disc(9), disc(12, at=(10, 10)))
    found = central_object(both)
    assert found.sum() == (disc(9) > 0.5).sum()
    assert found[32, 32] == 1
    assert central_object(np.zeros((16, 16))).all()  # nothing there: the whole image


def test_cp_measure_measures_the_area_that_was_drawn() -> None:
    pytest.importorskip("cp_measure", reason="cp-measure is not installed (extra: classic)")
    images = np.stack([np.round(255 * disc(radius))[None] for radius in (6, 9, 12, 15)]).astype(np.uint8)
    found = classic_features(images)
    assert found.shape[0] == 4
    assert np.isfinite(found).all()
    areas = [(disc(radius) > 0.5).sum() for radius in (6, 9, 12, 15)]
    assert any(np.allclose(column, areas) for column in found.T)


def test_without_cp_measure_the_extra_is_named() -> None:
    try:
        import cp_measure  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"morphobench\[classic\]"):
            classic_features(np.zeros((1, 1, 8, 8), dtype=np.uint8))
    else:
        pytest.skip("cp-measure is installed here")
