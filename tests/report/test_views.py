"""The picture of views: what it shows, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from morphobench.cli import main
from morphobench.data import ImageStore, simulate
from morphobench.errors import InputError
from morphobench.report.views import write_views


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    return simulate(tmp_path_factory.mktemp("views") / "store", images=64, seed=3)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


def test_the_picture_has_a_column_for_the_image_and_each_view(store: ImageStore, tmp_path: Path) -> None:
    single = _pixels(write_views(store, tmp_path / "one.png", setting="no_aug_one_crop", images=3))
    multi = _pixels(write_views(store, tmp_path / "five.png", images=3))
    assert multi.shape[0] == single.shape[0]
    assert multi.shape[1] == 3 * single.shape[1]
    assert multi.std() > 20


def test_the_command_writes_the_same_picture(store: ImageStore, tmp_path: Path) -> None:
    wanted = _pixels(write_views(store, tmp_path / "a.png", images=2))
    assert main(["views", str(store.path), "--out", str(tmp_path / "b.png"), "--images", "2"]) == 0
    np.testing.assert_array_equal(_pixels(tmp_path / "b.png"), wanted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"setting": "no_such"}, "--setting: one of"),
        ({"images": 0}, "--images: 1 to the store's 64 wanted, got 0"),
        ({"images": 65}, "got 65"),
        ({"out": "views.docx"}, "--out: a name ending in"),
    ],
)
def test_refusals_name_the_argument(
    store: ImageStore, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    out = tmp_path / str(options.pop("out", "views.png"))
    with pytest.raises(InputError, match=message):
        write_views(store, out, **options)
    assert not list(tmp_path.iterdir())
