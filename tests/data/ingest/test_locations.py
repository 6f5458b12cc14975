"""Cells cut out at their locations, from tables, from folders, and found by thresholding."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

import morphobench as mb
from morphobench.data.ingest.ingest import inspect_source, summary
from morphobench.errors import InputError
from tests.support.plates import OPTIONS, PIXELS, scaled


@pytest.mark.parametrize("key", ["site", "number", "path"])
def test_cells_are_cut_out_at_their_locations(plate: Path, tmp_path: Path, key: str) -> None:
    table = pd.read_csv(plate / "load_data.csv").assign(ImageNumber=range(1, 13))
    points = [(0, 20.4, 9.0), (0, 10.0, 30.0), (5, 20.0, 20.0), (5, 1.0, 1.0), (11, np.nan, 3.0)]
    rows = []
    for image, x, y in points:
        place: dict[str, Any] = {
            "site": {
                "Metadata_Plate": "BR00116991",
                "Metadata_Well": table["Metadata_Well"][image],
                "Metadata_Site": table["Metadata_Site"][image],
            },
            "number": {"ImageNumber": image + 1},
            "path": {"path": f"{table['PathName_OrigDNA'][image]}{table['FileName_OrigDNA'][image]}"},
        }[key]
        rows.append({**place, "Nuclei_Location_Center_X": x, "Nuclei_Location_Center_Y": y})
    store = mb.ingest(
        plate,
        tmp_path / "store",
        load_data=table,
        locations=pd.DataFrame(rows),
        crop_px=16,
        size_px=16,
        value_range=(0, 20_000),
    )
    wanted = [PIXELS[0, :, 1:17, 12:28], PIXELS[0, :, 22:38, 2:18], PIXELS[5, :, 12:28, 12:28]]
    np.testing.assert_array_equal(store.images, scaled(np.stack(wanted)))
    assert store.metadata["Metadata_ObjectNumber"].tolist() == [1, 2, 1]
    assert store.metadata["Metadata_X"].tolist() == [20.4, 10.0, 20.0]
    assert len(store.rejected) == 10
    assert "1 of 5 cells in locations have no location" in summary(store).warnings
    assert summary(store).rows()[0] == ("images", "12 in the source, 4 cells located, 3 stored, 10 rejected")
    assert (
        "1 of 4 cells were left out: their square of 16 px leaves the image (--edge pad fills it up), or "
        "their image was rejected" in summary(store).warnings
    )
    padded = mb.ingest(
        plate,
        tmp_path / "padded",
        load_data=table,
        locations=pd.DataFrame(rows),
        crop_px=16,
        size_px=16,
        edge="pad",
        value_range=(0, 20_000),
    )
    assert len(padded) == 4
    assert not [text for text in summary(padded).warnings if "left out" in text]
    np.testing.assert_array_equal(padded.images[3, :, 7:, 7:], scaled(PIXELS[5, :, :9, :9]))
    assert not padded.images[3, :, :7].any()


def test_locations_in_deep_profilers_folders(plate: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locations" / "BR00116991"
    folder.mkdir(parents=True)
    pd.DataFrame({"Nuclei_Location_Center_X": [20], "Nuclei_Location_Center_Y": [20]}).to_csv(
        folder / "A01-2-Nuclei.csv", index=False
    )
    store = mb.ingest(
        plate,
        tmp_path / "store",
        load_data="load_data.csv",
        locations=tmp_path / "locations",
        crop_px=20,
        size_px=20,
        value_range=(0, 20_000),
    )
    np.testing.assert_array_equal(store.images, scaled(PIXELS[1:2, :, 10:30, 10:30]))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": [1]}, "must have columns Nuclei_Location_Center_X"),
        ({"x": [1], "y": [1]}, "must name the image of each cell"),
        ({"x": [1], "y": [1], "well": ["A01"]}, "must tell images apart by well"),
        ({"x": [1], "y": [1], "ImageNumber": [99]}, "must have cells of the images"),
    ],
)
def test_locations_that_do_not_fit_are_refused(
    plate: Path, tmp_path: Path, table: dict[str, list[Any]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        mb.ingest(
            plate, tmp_path / "store", load_data="load_data.csv", locations=pd.DataFrame(table), **OPTIONS
        )


def test_finding_nuclei_without_scikit_image_is_refused_before_images_are_read(
    plate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(InputError, match=r"^the package skimage must be installed .*morphobench\[segment\]"):
        inspect_source(plate, load_data="load_data.csv", locations="auto", **OPTIONS)


def test_nuclei_are_found(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the extra segment is not installed")
    root = tmp_path / "fields"
    root.mkdir()
    y, x = np.mgrid[:200, :200]
    centres = [(50, 60), (150, 60), (70, 150), (90, 150)]
    field = sum(200 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 80) for cx, cy in centres)
    tifffile.imwrite(root / "a.tif", np.clip(field, 0, 255).astype(np.uint8))
    store = mb.ingest(root, tmp_path / "store", locations="auto", crop_px=32, size_px=32)
    found = sorted(zip(store.metadata["Metadata_X"], store.metadata["Metadata_Y"], strict=True))
    np.testing.assert_allclose(found, sorted(centres), atol=2)
