"""The law of the draws: torchvision's, by two-sample tests, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from morphobench.augment import MultiCrop, ViewGroup, ViewSpec
from tests.support import view_reference

SIDES = ("top", "left", "height", "width")


@pytest.mark.parametrize(
    ("height", "width", "scale", "ratio"),
    [
        (64, 64, (0.5, 0.75), (3 / 4, 4 / 3)),
        (64, 64, (0.25, 0.5), (3 / 4, 4 / 3)),
        (64, 64, (0.08, 1.0), (3 / 4, 4 / 3)),
        (40, 100, (0.3, 0.9), (0.5, 2.0)),
    ],
)
def test_windows_follow_the_same_law_as_torchvisions(
    height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> None:
    count = 3000
    theirs = view_reference.windows(height, width, scale=scale, ratio=ratio, count=count, seed=5)
    spec = ViewSpec((ViewGroup(scale=scale, ratio=ratio),))
    params = MultiCrop(spec, seed=5).draw(np.arange(count), 0, (height, width))[0]
    ours = np.stack([params[side] for side in SIDES], axis=1).astype(np.int64)
    for a, b in zip(quantities(ours), quantities(theirs), strict=True):
        assert stats.ks_2samp(a, b).pvalue > 1e-3
        # what shifts all by half a pixel, such as rounding down, shows in the mean only
        assert stats.ttest_ind(a, b, equal_var=False).pvalue > 1e-4


def quantities(windows: np.ndarray) -> list[np.ndarray]:
    """Each side, area and ratio of windows (N, 4), and sums, which depend on the joint law of two sides."""
    top, left, height, width = windows.T
    return [top, left, height, width, height * width, width / height, top + left, top + width, left + height]


def test_flip_and_blur_have_their_probabilities_and_range() -> None:
    params = MultiCrop("aug_one_crop").draw(np.arange(20_000), 0, (64, 64))[0]
    blurred = params["blur_sigma"][params["blur_sigma"] > 0]
    assert stats.binomtest(int(params["flip"].sum()), 20_000, 0.5).pvalue > 1e-3
    assert stats.binomtest(len(blurred), 20_000, 0.2).pvalue > 1e-3
    assert stats.kstest(blurred, stats.uniform(0.1, 1.9).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(params["flip"], params["blur_sigma"])[0, 1]) < 0.03


def test_settings_have_their_views() -> None:
    for setting, views in {"no_aug_one_crop": 1, "aug_one_crop": 1, "no_aug_multi_crop": 5}.items():
        crops = MultiCrop(setting)
        params = crops.draw(np.arange(500), 0, (64, 64))
        assert crops.views == views == len(params)
        assert (params[0]["height"] == 64).all()
        assert (params[0]["width"] == 64).all()
        if setting.startswith("no_aug"):
            assert not params["flip"].any()
            assert not params["blur_sigma"].any()
    share = params["height"] * params["width"] / 64**2
    assert 0.48 < share[1:3].min() < share[1:3].max() < 0.77
    assert 0.23 < share[3:].min() < share[3:].max() < 0.52


@pytest.mark.parametrize(
    ("shape", "window"),
    [((10, 100), (0, 43, 10, 13)), ((100, 10), (43, 0, 13, 10)), ((1, 1), (0, 0, 1, 1))],
)
def test_ten_failures_end_in_the_central_window(
    shape: tuple[int, int], window: tuple[int, int, int, int]
) -> None:
    """No window of half the area fits a 10 x 100 image at ratio 3/4..4/3: torchvision's fallback."""
    spec = ViewSpec((ViewGroup(scale=(0.5, 0.9)),))
    params = MultiCrop(spec).draw(np.arange(20), 0, shape)[0]
    assert {tuple(int(record[side]) for side in SIDES) for record in params} == {window}
    assert {
        tuple(row)
        for row in view_reference.windows(
            *shape, scale=(0.5, 0.9), ratio=(3 / 4, 4 / 3), count=5, seed=0
        ).tolist()
    } == {window}


def test_whole_image_of_any_shape_is_whole() -> None:
    for shape in ((48, 64), (10, 100), (1, 7)):
        params = MultiCrop("no_aug_one_crop").draw(np.arange(5), 0, shape)
        assert (params["height"] == shape[0]).all()
        assert (params["width"] == shape[1]).all()
