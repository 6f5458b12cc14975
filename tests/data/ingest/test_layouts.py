"""Layouts of laboratories: LoadData, plate maps, one file per channel, stacks, locations of cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

import morphobench as mb
from morphobench.data.ingest.ingest import inspect_source, summary
from morphobench.data.ingest.patterns import channel_files
from morphobench.data.metadata import well_name
from morphobench.errors import InputError
from tests.support.plates import CHANNELS, OPTIONS, PIXELS, RANDOM, scaled


def test_load_data_and_a_platemap(plate: Path, tmp_path: Path) -> None:
    store = mb.ingest(
        plate,
        tmp_path / "store",
        load_data=plate / "load_data.csv",
        platemap=plate / "barcode_platemap.csv",
        **OPTIONS,
    )
    assert store.images.shape == (12, 5, 40, 40)
    np.testing.assert_array_equal(store.images, scaled(PIXELS))
    assert store.channel_names == CHANNELS
    assert store.metadata["Metadata_Compound"].tolist()[::2] == [
        "DMSO",
        "taxol",
        "etoposide",
        "DMSO",
        "mystery",
        "ring",
    ]
    assert store.metadata["Metadata_ControlType"].tolist()[::2] == [
        "negcon",
        "trt",
        "trt",
        "negcon",
        "poscon",
        "trt",
    ]
    assert store.metadata["Metadata_broad_sample"].dropna().nunique() == 4
    assert store.metadata["Metadata_Site"].tolist() == ["1", "2"] * 6
    found = summary(store)
    assert found.classes == {"trt": 6, "negcon": 4, "poscon": 2}
    assert found.counts["wells"] == 6
    assert "Series" in found.unused_columns
    assert not found.warnings


def test_pages_that_load_data_names_inside_files(plate: Path, tmp_path: Path) -> None:
    """CellProfiler writes Frame and Series for every file, 0 where it has one page."""
    table = pd.read_csv(plate / "load_data.csv")
    table["Frame_OrigDNA"], table["Series_OrigDNA"] = 0, "0"
    store = mb.ingest(plate, tmp_path / "store", load_data=table, **OPTIONS)
    assert len(store) == 12
    assert not {"Frame_OrigDNA", "Series_OrigDNA"} & set(summary(store).unused_columns)
    table.loc[3, "Frame_OrigDNA"] = 2
    with pytest.raises(InputError, match=r"a file for each channel .*, got Frame_OrigDNA 2: save"):
        mb.ingest(plate, tmp_path / "refused", load_data=table, **OPTIONS)


@pytest.mark.parametrize("channels", ["AGP,dna", (3, "DNA"), (3, 0)])
def test_channels_by_name(plate: Path, tmp_path: Path, channels: Any) -> None:
    store = mb.ingest(plate, tmp_path / "store", load_data="load_data.csv", channels=channels, **OPTIONS)
    assert store.channel_names == ("AGP", "DNA")
    np.testing.assert_array_equal(store.images, scaled(PIXELS[:, [3, 0]]))
    with pytest.raises(InputError, match="must have channel GFP of --channels, got DNA, ER, RNA, AGP, Mito"):
        mb.ingest(plate, tmp_path / "other", load_data="load_data.csv", channels="GFP", **OPTIONS)


def test_urls_of_the_file_scheme(plate: Path, tmp_path: Path) -> None:
    table = pd.read_csv(plate / "load_data.csv")
    for name in CHANNELS:
        table[f"URL_Orig{name}"] = [
            (plate / "BR00116991" / "Images" / file).resolve().as_uri()
            for file in table[f"FileName_Orig{name}"]
        ]
    table = table.drop(
        columns=[column for column in table if str(column).startswith(("FileName", "PathName"))]
    )
    assert len(mb.ingest(plate, tmp_path / "store", load_data=table, **OPTIONS)) == 12
    table.loc[3, "URL_OrigER"] = "s3://bucket/a.tiff"
    store = mb.ingest(plate, tmp_path / "other", load_data=table, **OPTIONS)
    assert store.rejected["reason"].tolist() == ["the URL must be of the file scheme, got s3"]
    assert len(store) == 11


def test_single_channel_files_are_not_taken_for_images(plate: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must hold all their channels, got 60 files .*--load-data"):
        mb.ingest(plate, tmp_path / "store", **OPTIONS)
    assert len(mb.ingest(plate, tmp_path / "store", separate_files=True, **OPTIONS)) == 60
    pattern = r"r(?P<row>\d+)c(?P<column>\d+)f(?P<Site>\d+)p01-ch(?P<Channel>\d)"
    merged = mb.ingest(plate, tmp_path / "merged", pattern=pattern, **OPTIONS)
    np.testing.assert_array_equal(merged.images, scaled(PIXELS))
    assert merged.channel_names == ("1", "2", "3", "4", "5")


def test_an_image_without_one_of_its_channels_is_rejected(plate: Path, tmp_path: Path) -> None:
    gone = next((plate / "BR00116991" / "Images").glob("r01c01f01*-ch3*"))
    gone.unlink()
    store = mb.ingest(plate, tmp_path / "a", load_data="load_data.csv", **OPTIONS)
    assert len(store) == 11
    assert store.rejected["reason"][0].endswith(f"{gone.name}: no such file")
    merged = mb.ingest(plate, tmp_path / "b", pattern=r"-ch(?P<Channel>\d)", **OPTIONS)
    assert merged.rejected["reason"].tolist() == ["the image must have channel 3, got no file of it"]


def test_one_platemap_for_all_plates(plate: Path, tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"well": ["A1", "a02", "r02c01"], "compound": ["DMSO", "taxol", "x"], "dose": [1, 2, 3]}
    )
    store = mb.ingest(plate, tmp_path / "store", load_data="load_data.csv", platemap=table, **OPTIONS)
    assert store.metadata["Metadata_Compound"].tolist()[:6] == ["DMSO", "DMSO", "taxol", "taxol", "x", "x"]
    assert store.metadata["Metadata_Compound"].isna().sum() == 6
    assert "6 images have a well that no platemap holds" in summary(store).warnings[0]
    with pytest.raises(InputError, match="each well once, got A01 twice"):
        mb.ingest(
            plate, tmp_path / "b", load_data="load_data.csv", platemap=pd.concat([table, table]), **OPTIONS
        )
    with pytest.raises(InputError, match="must have a column well_position"):
        mb.ingest(
            plate, tmp_path / "b", load_data="load_data.csv", platemap=table.drop(columns="well"), **OPTIONS
        )


@pytest.mark.parametrize(
    ("text", "name"),
    [("A1", "A01"), ("p24", "P24"), ("AA07", "AA07"), ("r01c02", "A02"), ("x", "x"), (7, "7")],
)
def test_wells_have_one_name(text: object, name: str) -> None:
    assert well_name(text) == name


def test_jump_names_and_control_types(tmp_path: Path) -> None:
    root = tmp_path / "jump"
    root.mkdir()
    kinds = ["negcon", "poscon_diverse", "poscon_cp", "trt", "empty", None]
    for number in range(6):
        tifffile.imwrite(root / f"{number}.tif", RANDOM.integers(0, 255, (16, 16), dtype=np.uint8))
    pd.DataFrame(
        {
            "image_path": [f"{number}.tif" for number in range(6)],
            "Assay_Plate_Barcode": "BR1",
            "well_position": [f"A0{number}" for number in range(6)],
            "Metadata_JCP2022": [f"JCP2022_{number}" for number in range(6)],
            "pert_iname": ["DMSO", "a", "b", "c", "", "d"],
            "Metadata_pert_type": kinds,
            "Nuclei_Intensity": 0.5,
        }
    ).to_csv(root / "metadata.csv", index=False)
    store = mb.ingest(root, tmp_path / "store", size_px=16)
    assert store.metadata["Metadata_ControlType"].fillna("").tolist() == [
        "negcon",
        "poscon",
        "poscon",
        "trt",
        "",
    ]
    assert store.metadata["Metadata_Plate"].tolist() == ["BR1"] * 5
    assert store.metadata["Metadata_Well"].tolist() == ["A00", "A01", "A02", "A03", "A05"]
    assert store.metadata["Metadata_Compound"].tolist() == ["DMSO", "a", "b", "c", "d"]
    assert "Metadata_JCP2022" in store.metadata
    assert "marked empty" in store.rejected["reason"][0]
    assert summary(store).unused_columns == ["Nuclei_Intensity"]


@pytest.mark.parametrize(
    "head", ["image_path", "filename", "FileName", "Image_FileName", "file", "Metadata_Path"]
)
def test_headings_of_the_path(tmp_path: Path, head: str) -> None:
    root = tmp_path / "images"
    root.mkdir()
    tifffile.imwrite(root / "a.tif", RANDOM.integers(0, 255, (16, 16), dtype=np.uint8))
    pd.DataFrame({head: ["a.tif"], "plate": ["1"]}).to_csv(root / "metadata.csv", index=False)
    assert mb.ingest(root, tmp_path / "store", size_px=16).metadata["Metadata_Path"].tolist() == ["a.tif"]


def test_a_load_data_table_in_the_wrong_place_is_recognized(plate: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give it as --load-data"):
        mb.ingest(plate, tmp_path / "store", metadata=plate / "load_data.csv", **OPTIONS)
    with pytest.raises(InputError, match="must have columns FileName_X"):
        mb.ingest(plate, tmp_path / "store", load_data=plate / "barcode_platemap.csv", **OPTIONS)


def test_stacks_are_images_or_channels(tmp_path: Path) -> None:
    root = tmp_path / "stacks"
    root.mkdir()
    cells = RANDOM.integers(0, 255, (40, 16, 16), dtype=np.uint8)
    tifffile.imwrite(root / "cells.tif", cells, photometric="minisblack")
    with pytest.raises(
        InputError, match=r"cells\.tif: --pages \(pages\) must be images .* or channels .* for 40 unnamed"
    ):
        mb.ingest(root, tmp_path / "store", size_px=16)
    images = mb.ingest(root, tmp_path / "images", size_px=16, pages="images")
    np.testing.assert_array_equal(images.images[:, 0], cells)
    assert images.metadata["Metadata_Page"].tolist() == list(range(40))
    channels = mb.ingest(root, tmp_path / "channels", size_px=16, pages="channels")
    assert channels.images.shape == (1, 40, 16, 16)
    assert mb.ingest(root, tmp_path / "two", size_px=16, channels="0,39").images.shape == (1, 2, 16, 16)
    tifffile.imwrite(root / "cells.tif", cells[:3], photometric="minisblack")
    few = mb.ingest(root, tmp_path / "few", size_px=16)
    assert few.images.shape == (1, 3, 16, 16)
    assert "3 pages were read as channels (--pages images reads each as an image)" in summary(few).warnings[0]


def test_channel_names_of_an_ome_tiff(tmp_path: Path) -> None:
    root = tmp_path / "ome"
    root.mkdir()
    for number, order in enumerate((["DNA", "ER & RNA", "Mito"], ["Mito", "DNA", "ER & RNA"])):
        pixels = PIXELS[number, [("DNA", "ER & RNA", "Mito").index(name) for name in order]]
        tifffile.imwrite(
            root / f"{number}.ome.tif", pixels, metadata={"axes": "CYX", "Channel": {"Name": order}}
        )
    store = mb.ingest(root, tmp_path / "store", **OPTIONS)
    assert store.channel_names == ("DNA", "ER & RNA", "Mito")
    np.testing.assert_array_equal(store.images, scaled(PIXELS[:2, :3]))  # the second file's order is mended
    by_name = mb.ingest(root, tmp_path / "by_name", channels="Mito", **OPTIONS)
    np.testing.assert_array_equal(by_name.images[:, 0], scaled(PIXELS[:2, 2]))


def test_an_inspection_says_the_same_and_writes_nothing(plate: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    found = inspect_source(
        plate, load_data="load_data.csv", platemap="barcode_platemap.csv", value_range=(0, 20_000)
    )
    assert sorted(tmp_path.rglob("*")) == before
    text = str(found)
    for part in (
        "12 in the source",
        "6 trt, 4 negcon, 2 poscon",
        "DNA, ER, RNA, AGP, Mito",
        "12 of 5x40x40 uint16 -> 5x64x64 uint8",
        "Series",
    ):
        assert part in text
    assert "<td" in found._repr_html_()


def test_what_may_be_wrong_is_said(tmp_path: Path) -> None:
    root = tmp_path / "crops"
    root.mkdir()
    for number in range(4):
        tifffile.imwrite(root / f"{number}.tif", RANDOM.integers(0, 255, (80, 120), dtype=np.uint8))
    pd.DataFrame(
        {"path": [f"{n}.tif" for n in range(4)], "plate": list("AABB"), "compound": ["DMSO", "x", "x", "y"]}
    ).to_csv(root / "metadata.csv", index=False)
    warned = " ".join(summary(mb.ingest(root, tmp_path / "store", size_px=16)).warnings)
    assert "4 of 4 images are not square (such as 80 x 120 px)" in warned
    assert "4 of 4 images are 4 times 16 px and larger" in warned
    assert "1 of 2 plates have no control: B" in warned


@pytest.mark.parametrize(
    ("names", "found", "sure"),
    [
        ([f"s{s}-ch{c}.tif" for s in range(3) for c in (1, 2)], 2, True),
        ([f"A01_s{s}_{c}.tif" for s in range(3) for c in ("DAPI", "GFP")], 2, True),
        ([f"A01_s{s}_w{c}.tif" for s in range(3) for c in (1, 2, 3)], 3, False),
        ([f"c{n}.png" for n in range(9)], 0, False),
        ([f"img_{n}.png" for n in range(9)], 0, False),
        ([f"cell{n}_DAPI.png" for n in range(9)], 0, False),
    ],
)
def test_names_of_channel_files(names: list[str], found: int, sure: bool) -> None:
    got = channel_files(names)
    assert (0 if got is None else len(got[0])) == found
    assert got is None or got[1] == sure
