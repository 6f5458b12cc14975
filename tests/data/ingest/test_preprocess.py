"""Channels, 8 bits, tiles and sizes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from morphobench.data.ingest.preprocess import centre_crop, cut_tiles, preparation, resized, to_8_bit
from morphobench.errors import InputError

DEEP = np.random.default_rng(0).integers(200, 4000, (3, 40, 50), dtype=np.uint16)


def test_minmax_uses_the_whole_range_of_each_channel() -> None:
    found = to_8_bit(DEEP, "minmax")
    assert found.dtype == np.uint8
    for channel, deep in zip(found, DEEP, strict=True):
        low, high = int(deep.min()), int(deep.max())
        wanted = [round((int(value) - low) * 255 / (high - low)) for value in deep.flat]
        assert np.abs(channel.ravel().astype(int) - wanted).max() == 0


def test_percentiles_ignore_a_hot_pixel() -> None:
    deep = DEEP.copy()
    deep[:, 0, 0] = 65535
    calm = to_8_bit(DEEP, "percentile")[:, 1:].astype(int)
    assert np.abs(to_8_bit(deep, "percentile")[:, 1:].astype(int) - calm).max() <= 2
    assert to_8_bit(deep, "minmax").mean() < 20


def test_a_fixed_range_is_the_same_for_every_image() -> None:
    pixels = np.array([[[0, 100, 1377, 2655, 4000]]], dtype=np.uint16)
    assert to_8_bit(pixels, (100.0, 2655.0)).tolist() == [[[0, 0, 127, 255, 255]]]


def test_a_constant_channel_becomes_black_not_nan() -> None:
    assert to_8_bit(np.full((1, 4, 4), 900, np.uint16), "minmax").max() == 0
    assert to_8_bit(np.full((1, 4, 4), 90, np.uint8), "percentile").max() == 0


def test_8_bit_stays_as_it_is_and_16_bit_asks_for_a_range() -> None:
    pixels = (DEEP // 16).astype(np.uint8)
    np.testing.assert_array_equal(to_8_bit(pixels, "none"), pixels)
    with pytest.raises(InputError, match="--range"):
        to_8_bit(DEEP, "none")


def test_tiles_are_in_reading_order_and_the_study_cuts_16() -> None:
    image = np.arange(256 * 256, dtype=np.uint32).astype(np.uint8).reshape(1, 256, 256)
    tiles = cut_tiles(image, 64)
    assert len(tiles) == 16
    np.testing.assert_array_equal(tiles[6], image[:, 64:128, 128:192])
    assert len(cut_tiles(image[:, :200, :140], 64)) == 3 * 2
    with pytest.raises(InputError, match="at least 64 x 64 px to cut tiles from, got 63 x 256"):
        cut_tiles(image[:, :63], 64)


def test_resizing_is_pillows() -> None:
    pixels = (DEEP // 16).astype(np.uint8)
    wanted = np.asarray(Image.fromarray(pixels[1]).resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(resized(pixels, 16)[1], wanted)


def test_the_centre_is_cropped_unscaled() -> None:
    pixels = (DEEP // 16).astype(np.uint8)
    np.testing.assert_array_equal(centre_crop(pixels, 32), pixels[:, 4:36, 9:41])
    with pytest.raises(InputError, match="at least 41 x 41 px"):
        centre_crop(pixels, 41)


def test_a_plan_does_all_in_order() -> None:
    plan = preparation(size_px=8, channels="2,0", fit="crop", tile=20, value_range="0:4095")
    found = plan.apply(DEEP)
    assert found.shape == (4, 2, 8, 8)
    np.testing.assert_array_equal(found[3, 0], to_8_bit(DEEP[2:, 26:34, 26:34], (0.0, 4095.0))[0])
    with pytest.raises(InputError, match="channel 2 of --channels, got 2, numbered from 0"):
        plan.apply(DEEP[:2])


@pytest.mark.parametrize(
    "arguments",
    [
        {"size_px": 0},
        {"size_px": 6.4},
        {"size_px": True},
        {"tile": -1},
        {"fit": "stretch"},
        {"channels": "0,-1"},
        {"channels": (0, 0)},
        {"channels": ()},
        {"channels": -1},
        {"channels": (0.5,)},
        {"value_range": "max"},
        {"value_range": "9:3"},
        {"value_range": "3:nan"},
        {"value_range": (1, 2, 3)},
        {"value_range": None},
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object]) -> None:
    name = next(iter(arguments)).replace("value_range", r"--range \(value_range\)")
    with pytest.raises(InputError, match=rf"^{name} must be .*, got"):
        preparation(**arguments)  # type: ignore[arg-type]


def test_arguments_as_the_command_line_writes_them() -> None:
    assert preparation(channels="0,2").channels == preparation(channels=(0, 2)).channels == (0, 2)
    assert preparation(channels=1).channels == (1,)
    assert preparation(value_range="100:4095").value_range == (100.0, 4095.0)
