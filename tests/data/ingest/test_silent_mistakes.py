"""Layouts that went in silently wrong once: each comes out right, is refused, or is warned of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

import morphobench as mb
from morphobench.data import ImageStore
from morphobench.data.ingest import IngestSummary
from morphobench.data.ingest.discover import list_source
from morphobench.data.ingest.ingest import inspect_source, summary
from morphobench.data.ingest.locations import read_locations
from morphobench.data.ingest.zarr_plates import images_below
from morphobench.errors import InputError
from tests.support.plates import OPTIONS, PIXELS, RANDOM, scaled

STACK = RANDOM.integers(0, 255, (40, 16, 12), dtype=np.uint8)


def _write(folder: Path, pixels: np.ndarray, **options: Any) -> Path:
    (folder / "controls").mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / "controls" / "a.tif", pixels, **options)
    return folder


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "TYX"}},
    ],
)
def test_stacks_of_cells_with_an_axis_that_programs_write(tmp_path: Path, options: dict[str, Any]) -> None:
    root = _write(tmp_path / "stack", STACK, photometric="minisblack", **options)
    with pytest.raises(InputError, match="--pages"):
        mb.ingest(root, tmp_path / "store", size_px=8)
    store = mb.ingest(root, tmp_path / "images", size_px=12, fit="crop", pages="images")
    np.testing.assert_array_equal(store.images[:, 0], STACK[:, 2:14])


def test_pages_of_several_channels_are_images(tmp_path: Path) -> None:
    colour = RANDOM.integers(0, 255, (6, 12, 12, 3), dtype=np.uint8)
    root = _write(tmp_path / "stack", colour, photometric="rgb")
    with pytest.raises(InputError, match="--pages images reads each as an image of its own"):
        mb.ingest(root, tmp_path / "store", size_px=12)
    store = mb.ingest(root, tmp_path / "images", size_px=12, pages="images")
    np.testing.assert_array_equal(store.images, np.moveaxis(colour, -1, 1))


def test_compressed_pages_are_all_read(tmp_path: Path) -> None:
    (tmp_path / "stack" / "controls").mkdir(parents=True)
    frames = [Image.fromarray(np.full((12, 12), number, np.uint8)) for number in range(100)]
    file = tmp_path / "stack" / "controls" / "a.tif"
    frames[0].save(file, save_all=True, append_images=frames[1:], compression="tiff_lzw")
    store = mb.ingest(tmp_path / "stack", tmp_path / "store", size_px=12, pages="images")
    assert store.images[:, 0, 0, 0].tolist() == list(range(100))


def test_positions_of_an_ome_tiff_are_images(tmp_path: Path) -> None:
    root = _write(tmp_path / "ome", STACK[0])
    with tifffile.TiffWriter(root / "controls" / "a.tif", ome=True) as file:
        for number in range(4):
            names = {"axes": "CYX", "Channel": {"Name": ["DNA", "ER"]}}
            file.write(STACK[2 * number : 2 * number + 2], photometric="minisblack", metadata=names)
    with pytest.raises(
        InputError, match=r"--pages \(pages\) must be images for 4 images in one file, got none"
    ):
        mb.ingest(root, tmp_path / "store", size_px=12)
    store = mb.ingest(root, tmp_path / "images", size_px=12, fit="crop", pages="images")
    assert store.channel_names == ("DNA", "ER")
    np.testing.assert_array_equal(store.images, STACK[:8, 2:14].reshape(4, 2, 12, 12))


def test_an_axis_read_as_channels_is_told(tmp_path: Path) -> None:
    root = _write(tmp_path / "last", STACK[:, :, :5], photometric="minisblack")
    found = summary(mb.ingest(root, tmp_path / "store", size_px=12))
    assert found.channels == 5
    assert "the last axis was read as 5 channels (--pages images reads 40 pages instead)" in found.warnings[0]
    pages = mb.ingest(root, tmp_path / "pages", size_px=5, fit="crop", pages="images")
    np.testing.assert_array_equal(pages.images[:, 0], STACK[:, 5:10, :5])


@pytest.mark.parametrize("make", [ImageStore.from_arrays, ImageStore.create])
def test_arrays_with_channels_last_are_refused(tmp_path: Path, make: Callable[..., ImageStore]) -> None:
    images = np.zeros((10, 40, 40, 5), np.uint8)
    with pytest.raises(InputError, match="with channels last"):
        make(tmp_path / "store", images, pd.DataFrame(index=range(10)))


def test_arrays_of_other_channels_are_refused_by_number(tmp_path: Path) -> None:
    images = [np.zeros((channels, 8, 8), np.uint8) for channels in (2, 2, 1)]
    with pytest.raises(InputError, match="must have 2 channels like the first, got 1 in image 2"):
        ImageStore.from_arrays(tmp_path / "store", images)


def _cells(numbers: list[int], **columns: Any) -> pd.DataFrame:
    x = np.arange(len(numbers)) + 20.0
    return pd.DataFrame(
        {"ImageNumber": numbers, "Location_Center_X": x, "Location_Center_Y": 20.0, **columns}
    )


def test_the_images_own_numbers_name_their_cells(plate: Path) -> None:
    table = pd.read_csv(plate / "load_data.csv").assign(ImageNumber=range(12, 0, -1))
    listing = list_source(plate, load_data=table)
    points = read_locations(listing, _cells([12, 1]))
    assert points[0].tolist() == [[20.0, 20.0]]
    assert points[11].tolist() == [[21.0, 20.0]]
    assert listing.warnings == []


def test_numbers_that_the_images_do_not_have_are_warned_of(plate: Path) -> None:
    listing = list_source(plate, load_data="load_data.csv")
    assert len(read_locations(listing, _cells([3]))[2]) == 1
    assert "they were numbered from 1 in their order" in listing.warnings[0]


@pytest.mark.parametrize("further", [{}, {"ObjectNumber": [1, 1]}])
def test_cells_that_a_table_has_twice_are_refused(plate: Path, further: dict[str, Any]) -> None:
    cells = _cells([1, 1], **further)
    if not further:
        cells["Location_Center_X"] = 20.0
    with pytest.raises(InputError, match="must have each cell once, got 1 repeated, such as that of row 2"):
        read_locations(list_source(plate, load_data="load_data.csv"), cells)


def test_locations_that_are_no_pixels_are_refused(plate: Path) -> None:
    cells = _cells([1, 2]).assign(Location_Center_X=[0.2, 0.7], Location_Center_Y=0.5)
    with pytest.raises(InputError, match=r"must hold x and y in pixels, got values up to 0\.7"):
        read_locations(list_source(plate, load_data="load_data.csv"), cells)


@pytest.mark.parametrize("name", ["P{}/Nuclei.csv", "P{}.csv", "P{}_Nuclei.csv"])
def test_a_table_of_cells_for_each_plate(plate: Path, tmp_path: Path, name: str) -> None:
    table = pd.read_csv(plate / "load_data.csv")
    table["Metadata_Plate"] = ["P1"] * 6 + ["P2"] * 6
    for number in (1, 2):
        file = tmp_path / "cells" / name.format(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        _cells([number]).to_csv(file, index=False)
    listing = list_source(plate, load_data=table)
    points = read_locations(listing, tmp_path / "cells")
    # images are numbered anew on each plate only where tables of several plates hold the same number
    assert [len(each) for each in points[:6]] == [1, 0, 0, 0, 0, 0]
    _cells([1, 2]).to_csv(tmp_path / "cells" / name.format(2), index=False)
    points = read_locations(listing, tmp_path / "cells")
    assert [len(each) for each in points] == [1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]
    (tmp_path / "cells" / "other.csv").write_text("ImageNumber,x,y\n1,2,3\n")
    with pytest.raises(InputError, match=r"other\.csv must lie in a folder of its plate's name"):
        read_locations(listing, tmp_path / "cells")


def _mapped(plate: Path, platemap: pd.DataFrame) -> IngestSummary:
    return inspect_source(plate, load_data="load_data.csv", platemap=platemap, **OPTIONS)


def _wells(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"well_position": ["A01", "A02", "B01", "B02", "C01", "C02"], **columns})


def test_wells_without_a_broad_sample_are_dmso(plate: Path) -> None:
    found = _mapped(plate, _wells(broad_sample=["BRD-1", None, "BRD-2", None, "BRD-3", "BRD-4"]))
    assert found.classes == {"trt": 8, "negcon": 4}
    assert "2 wells of platemap 1 have no broad_sample and were taken for DMSO" in found.warnings[0]
    known = _mapped(plate, _wells(broad_sample=[None, *"abcde"], pert_type=["empty", *["trt"] * 4, "negcon"]))
    assert known.classes == {"trt": 8, "negcon": 2}
    assert known.rejected == 2


def test_names_of_controls(plate: Path) -> None:
    names = ["DMSO 0.1%", "0.5 % DMSO", "dmso_2", "JCP2022_033924", "taxol in DMSO", "x"]
    found = _mapped(plate, _wells(compound=names))
    assert found.classes == {"negcon": 8, "trt": 4}
    assert "2 images count as treated though" in found.warnings[0]
    assert "such as taxol in DMSO" in found.warnings[0]


def test_images_without_a_control_type_are_counted(plate: Path) -> None:
    found = _mapped(plate, _wells(compound=["DMSO", "x", "y", None, None, "z"]))
    assert "6 trt, 2 negcon, 4 not known" in str(found)
    assert any("4 images are not known to be a control or treated" in text for text in found.warnings)


def test_a_plate_of_two_maps_is_refused(plate: Path) -> None:
    (plate / "platemap" / "other.txt").write_text("well_position\tcompound\nA01\tDMSO\n")
    (plate / "barcode_platemap.csv").write_text(
        "Assay_Plate_Barcode,Plate_Map_Name\nBR00116991,JUMP-Target-1\nBR00116991,other\n"
    )
    with pytest.raises(InputError, match="must give each plate one map, got JUMP-Target-1 and other"):
        list_source(plate, load_data="load_data.csv", platemaps=["barcode_platemap.csv"])


def test_several_maps_without_a_plate_may_not_differ(plate: Path) -> None:
    table = pd.read_csv(plate / "load_data.csv")
    table["Metadata_Plate"] = ["P1"] * 6 + ["P2"] * 6
    one, other = _wells(compound=["DMSO", *"abcde"]), _wells(compound=[*"edcba", "DMSO"])

    def listed(*maps: pd.DataFrame) -> list[str]:
        return list(list_source(plate, load_data=table, platemaps=maps).table["Metadata_Compound"])

    with pytest.raises(
        InputError, match="one map for plate P1, got several that differ in Metadata_Compound"
    ):
        listed(one, other)
    own = listed(one.assign(plate="P1"), other.assign(plate="P2"))
    assert own == [name for name in ("DMSO", "a", "b", "b", "a", "DMSO") for _ in range(2)]
    further = list_source(plate, load_data="load_data.csv", platemaps=["barcode_platemap.csv", one])
    assert "1 platemaps were not used, as every plate has another" in further.warnings[0]
    assert listed(one[:2], one[2:]) == listed(one) == [name for name in one["compound"] for _ in range(2)]


def test_one_file_for_two_channels_or_images(plate: Path) -> None:
    table = pd.read_csv(plate / "load_data.csv")
    table.loc[0, "FileName_OrigER"] = table["FileName_OrigDNA"][0]
    table.loc[3, "FileName_OrigER"] = table["FileName_OrigER"][2]
    listing = list_source(plate, load_data=table)
    assert len(listing.files) == 11
    assert "channels must have files of their own" in listing.rejected[0][1]
    assert listing.warnings[0].startswith("1 files are channels of several images, such as ")


def test_channels_whose_names_are_numbers_are_chosen_by_name(plate: Path, tmp_path: Path) -> None:
    pattern = r"r(?P<row>\d+)c(?P<column>\d+)f(?P<Site>\d+)p01-ch(?P<Channel>\d)"
    store = mb.ingest(plate, tmp_path / "store", pattern=pattern, channels="1,5", **OPTIONS)
    assert store.channel_names == ("1", "5")
    np.testing.assert_array_equal(store.images, scaled(PIXELS[:, [0, 4]]))
    with pytest.raises(InputError, match="must have channel 0 of --channels, got 1, 2, 3, 4, 5"):
        inspect_source(plate, pattern=pattern, channels="0", **OPTIONS)


def test_a_range_that_does_not_fit_the_values_is_warned_of(tmp_path: Path) -> None:
    values = RANDOM.integers(0, 4096, (16, 16), dtype=np.uint16)
    root = _write(tmp_path / "deep", values)
    for ask in (
        inspect_source,
        lambda *given, **options: summary(mb.ingest(given[0], tmp_path / "s", **options)),
    ):
        dark = ask(root, size_px=16, value_range=(0, 65_535)).warnings
        assert any("images are nearly black in the range 0 to 65535" in text for text in dark)
    white = inspect_source(root, size_px=16, value_range=(0, 2047)).warnings
    assert any("% of the pixels are above 2047" in text for text in white)
    tifffile.imwrite(root / "controls" / "b.tif", values.astype(np.uint8))
    mixed = inspect_source(root, size_px=16, value_range=(0, 4095)).warnings
    assert any("1 images are 8-bit and 1 are 16-bit" in text for text in mixed)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_fields_of_a_plate_in_ome_zarr(tmp_path: Path, version: str) -> None:
    def write(group: Path, content: dict[str, Any]) -> None:
        group.mkdir(parents=True, exist_ok=True)
        named = {".zattrs": content} if version == "0.4" else {"zarr.json": {"attributes": {"ome": content}}}
        for name, found in named.items():
            (group / name).write_text(json.dumps(found))

    root = tmp_path / "BR1.ome.zarr"
    write(root, {"plate": {"wells": [{"path": "B/03"}, {"path": "A/1"}]}})
    for well in ("A/1", "B/03"):
        write(root / well, {"well": {"images": [{"path": "0"}, {"path": "1"}]}})
    found = list(images_below(tmp_path))
    assert [path for path, _ in found] == [
        f"BR1.ome.zarr/{well}/{site}" for well in ("A/1", "B/03") for site in (0, 1)
    ]
    assert found[3][1] == {"Metadata_Plate": "BR1", "Metadata_Well": "B03", "Metadata_Site": "1"}
    write(root / "A/1", {"well": {}})
    with pytest.raises(InputError, match="must describe its wells as OME-Zarr does"):
        list(images_below(tmp_path, only="BR1.ome.zarr"))
