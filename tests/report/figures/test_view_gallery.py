"""The picture of views: what it shows, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from morphobench.cli import main
from morphobench.data import ImageStore, simulate
from morphobench.errors import InputError
from morphobench.report.figures.view_gallery import channel_shown, write_views


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    return simulate(tmp_path_factory.mktemp("views") / "store", images=64, seed=3)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


TILE_PX = 2 * 64 + 8  # an image of 64 pixels twice its size, and the gap


def test_the_picture_has_a_column_for_the_image_and_each_view(store: ImageStore, tmp_path: Path) -> None:
    single = _pixels(write_views(store, tmp_path / "one.png", setting="no_aug_one_crop", images=3))
    multi = _pixels(write_views(store, tmp_path / "five.png", images=3))
    assert multi.shape[0] == single.shape[0]
    assert abs(multi.shape[1] - single.shape[1] - 4 * TILE_PX) <= 1  # matplotlib rounds a figure's size
    assert multi.std() > 20


def test_every_pixel_of_an_image_is_a_square_of_four(store: ImageStore, tmp_path: Path) -> None:
    picture = _pixels(write_views(store, tmp_path / "one.png", setting="no_aug_one_crop", images=1))
    image = store.images[0, 0]
    large = np.kron(image, np.ones((2, 2), np.uint8)).astype(int)
    top, left = picture.shape[0] - 10 - 8 - 14 - 128, 10
    for column in (left, left + TILE_PX):  # the image, and its only view
        shown = picture[top : top + 128, column : column + 128].astype(int)
        assert np.abs(shown - large).max() <= 1


def test_a_picture_of_many_channels_says_which_it_shows(store: ImageStore, tmp_path: Path) -> None:
    five = np.repeat(store.images[:2], 5, axis=1)
    named = ImageStore.create(
        tmp_path / "named", five, store.metadata[:2], channel_names=["$DNA$", "ER", "RNA", "AGP", "Mito"]
    )
    assert channel_shown(named) == "; shown: $DNA$"
    assert channel_shown(store) == ""
    one = _pixels(write_views(store, tmp_path / "one.png", images=1))
    other = _pixels(write_views(named, tmp_path / "five.png", images=1))
    assert (other[:25] < 128).sum() > (one[:25] < 128).sum()  # the heading is longer
    assert (
        channel_shown(ImageStore.create(tmp_path / "plain", five, store.metadata[:2])) == "; shown: channel 0"
    )


def test_all_settings_and_other_specs(store: ImageStore, tmp_path: Path) -> None:
    one = _pixels(write_views(store, tmp_path / "one.png", images=1))
    every = _pixels(write_views(store, tmp_path / "all.png", images=1, setting="all"))
    assert every.shape[1] == one.shape[1]
    assert every.shape[0] - 20 == 3 * (one.shape[0] - 20)  # the two settings of one view stand side by side
    spec = tmp_path / "spec.json"
    spec.write_text(
        json.dumps(
            {
                "groups": [
                    {"count": 2, "scale": [0.3, 1]},
                    {"count": 6, "size_px": 24, "quarter_turns": True, "noise": 1, "scale": [0.1, 0.3]},
                ],
                "mean": [0.4],
                "deviation": [0.2],
            }
        )
    )
    arguments = ["views", str(store.path), "--spec", str(spec), "--images", "1"]
    assert main([*arguments, "--out", str(tmp_path / "swav.png")]) == 0
    wider = _pixels(tmp_path / "swav.png").shape[1] - one.shape[1]
    assert abs(wider - (6 * 84 - 3 * TILE_PX)) <= 1


def test_a_spec_that_is_none_is_refused(store: ImageStore, tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    with pytest.raises(InputError, match=r"--spec must be a JSON file, but .*spec.json"):
        write_views(store, tmp_path / "views.png", spec=spec)
    spec.write_text('{"views": 5}')
    with pytest.raises(InputError, match="description"):
        write_views(store, tmp_path / "views.png", spec=spec)
    assert list(tmp_path.iterdir()) == [spec]


def test_the_command_writes_the_same_picture(store: ImageStore, tmp_path: Path) -> None:
    wanted = _pixels(write_views(store, tmp_path / "a.png", images=2))
    assert main(["views", str(store.path), "--out", str(tmp_path / "b.png"), "--images", "2"]) == 0
    np.testing.assert_array_equal(_pixels(tmp_path / "b.png"), wanted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"setting": "no_such"}, "--setting must be one of"),
        ({"images": 0}, "--images must be 1 to the store's 64, got 0"),
        ({"images": 65}, "got 65"),
        ({"out": "views.docx"}, "--out must end in"),
    ],
)
def test_refusals_name_the_argument(
    store: ImageStore, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    out = tmp_path / str(options.pop("out", "views.png"))
    with pytest.raises(InputError, match=message):
        write_views(store, out, **options)
    assert not list(tmp_path.iterdir())
