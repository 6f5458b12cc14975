"""Arrays, tensors, PIL images and data sets of other libraries into a store."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from morphobench import ImageStore
from morphobench.errors import InputError
from morphobench.types import UInt8Array

IMAGES: UInt8Array = np.random.default_rng(0).integers(0, 256, (6, 3, 16, 16), dtype=np.uint8)


@pytest.mark.parametrize(
    "images",
    [
        IMAGES,
        list(IMAGES),
        (image for image in IMAGES),
        torch.from_numpy(IMAGES),
        [Image.fromarray(np.moveaxis(image, 0, -1)) for image in IMAGES],
    ],
    ids=["array", "list", "iterator", "tensor", "PIL"],
)
def test_images_of_every_kind(tmp_path: Path, images: Any) -> None:
    table = {"plate": ["1", "2"] * 3, "compound": ["DMSO", "x"] * 3}
    store = ImageStore.from_arrays(
        tmp_path / "store", images, table, size_px=16, channel_names=["a", "b", "c"]
    )
    np.testing.assert_array_equal(store.images, IMAGES)
    assert store.labels.tolist() == [0, 1] * 3
    assert store.channel_names == ("a", "b", "c")


def test_sizes_channels_and_ranges_as_in_ingest(tmp_path: Path) -> None:
    images = [np.full((2, 20, 20), 80, np.uint16), np.full((2, 30, 30), 200, np.uint16)]
    store = ImageStore.from_arrays(
        tmp_path / "store",
        images,
        size_px=16,
        value_range=(0, 200),
        channels="ER",
        channel_names=["DNA", "ER"],
    )
    assert store.images.shape == (2, 1, 16, 16)
    assert store.images[0].max() == store.images[0].min() == 102
    assert store.channel_names == ("ER",)
    assert ImageStore.from_arrays(tmp_path / "grey", IMAGES[:, 0], size_px=16).images.shape == (6, 1, 16, 16)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (IMAGES.astype(np.float32), TypeError, "must have dtype uint8 or uint16, got float32 in image 0"),
        (np.moveaxis(IMAGES, 1, -1), InputError, r"got \(16, 16, 3\) in image 0, with channels last"),
        (IMAGES[0, 0, 0], InputError, r"must have shape \(N, H, W\) or \(N, C, H, W\), got \(16,\)"),
        ([IMAGES[0], IMAGES], InputError, r"got \(6, 3, 16, 16\) in image 1"),
        ([], InputError, "at least one image"),
        (IMAGES[:2].astype(np.uint16), InputError, "--range"),
    ],
)
def test_what_is_no_image_is_refused(
    tmp_path: Path, images: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ImageStore.from_arrays(tmp_path / "store", images, size_px=16)
    assert list(tmp_path.iterdir()) == []


class _TorchvisionLike:
    classes = ("DMSO", "taxol")

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.fromarray(np.moveaxis(IMAGES[index], 0, -1)), index % 2


class _HuggingFaceLike(_TorchvisionLike):
    classes = None  # type: ignore[assignment]
    features = {"label": SimpleNamespace(names=["control", "drug"])}  # noqa: RUF012

    def __getitem__(self, index: int) -> dict[str, Any]:  # type: ignore[override]
        return {"image": IMAGES[index], "label": index % 2}


@pytest.mark.parametrize("dataset", [_TorchvisionLike(), _HuggingFaceLike()])
def test_data_sets(tmp_path: Path, dataset: Any) -> None:
    store = ImageStore.from_dataset(tmp_path / "store", dataset, size_px=16)
    np.testing.assert_array_equal(store.images, IMAGES)
    assert store.labels.tolist() == [0, 1] * 3


def test_a_real_torchvision_data_set(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    for name in ("DMSO", "taxol"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(np.moveaxis(IMAGES[number], 0, -1)).save(
                tmp_path / "images" / name / f"{number}.png"
            )
    store = ImageStore.from_dataset(tmp_path / "store", ImageFolder(tmp_path / "images"), size_px=16)
    assert store.metadata["Metadata_Compound"].tolist() == ["DMSO"] * 3 + ["taxol"] * 3
    np.testing.assert_array_equal(store.images[:3], IMAGES[:3])


@pytest.mark.parametrize("sample", [3, {"picture": 1}, ()])
def test_other_samples_are_refused(tmp_path: Path, sample: Any) -> None:
    with pytest.raises(InputError, match="dataset must have samples"):
        ImageStore.from_dataset(tmp_path / "store", [sample])


def test_a_store_shows_itself_briefly(tmp_path: Path) -> None:
    store = ImageStore.create(tmp_path / "<b>", IMAGES, pd.DataFrame({"compound": ["DMSO", "x"] * 3}))
    assert repr(store) == f"ImageStore('{tmp_path}/<b>': 6 images, 3 x 16 x 16)"
    shown = store._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<td>2</td>" in shown
