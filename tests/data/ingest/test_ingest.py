"""Images on disk into a store: folders, tables, names; what is rejected, refused, and left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

import morphobench as mb
from morphobench.data.ingest.discover import folder_metadata
from morphobench.data.ingest.patterns import study_fields
from morphobench.errors import InputError

RANDOM = np.random.default_rng(0)


def _save(path: Path, *, size: int = 16, channels: int = 1) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = RANDOM.integers(0, 256, (size, size, channels), dtype=np.uint8)
    Image.fromarray(array[..., 0] if channels == 1 else array).save(path)
    return np.moveaxis(array, -1, 0)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for i in range(3):
        _save(root / "drugs" / f"d{i}.png")
        _save(root / "controls" / f"c{i}.png")
    (root / "notes.txt").write_text("no image")
    (root / ".hidden.png").write_bytes(b"")
    return root


@pytest.fixture
def table(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    root = tmp_path / "tabled"
    rows = []
    for i in range(6):
        _save(root / "img" / f"{i}.png", channels=3)
        rows.append((f"img/{i}.png", f"00{i % 2}", ["DMSO", "taxol"][i % 2], 0.5 * i))
    frame = pd.DataFrame(rows, columns=["path", "Metadata_plate", "Metadata_Compound", "concentration"])
    return root, frame


def test_a_tree_of_two_classes(folders: Path, tmp_path: Path) -> None:
    store = mb.ingest(folders, tmp_path / "store", size_px=16)
    assert store.metadata["Metadata_Path"].tolist() == [
        *(f"controls/c{i}.png" for i in range(3)),
        *(f"drugs/d{i}.png" for i in range(3)),
    ]
    assert store.labels.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(store.images[4, 0], np.asarray(Image.open(folders / "drugs/d1.png")))
    assert store.rejected.empty
    assert store.manifest["source_shapes"] == {"1x16x16 uint8": 6}
    store.verify()


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("drugs/a.png", {"Metadata_ControlType": "trt", "Metadata_Compound": None}),
        ("drugs/Taxol/a.png", {"Metadata_ControlType": "trt", "Metadata_Compound": "Taxol"}),
        ("Taxol/a.png", {"Metadata_ControlType": "trt", "Metadata_Compound": "Taxol"}),
        ("DMSO/p1/a.png", {"Metadata_ControlType": "negcon", "Metadata_Compound": "DMSO"}),
        ("Control/a.png", {"Metadata_ControlType": "negcon", "Metadata_Compound": None}),
        ("negative_control/PBS/a.png", {"Metadata_ControlType": "negcon", "Metadata_Compound": "PBS"}),
        ("untreated/a.png", {"Metadata_ControlType": "negcon", "Metadata_Compound": "untreated"}),
        (
            "val/DMSO/a.png",
            {"Metadata_Split": "validation", "Metadata_ControlType": "negcon", "Metadata_Compound": "DMSO"},
        ),
        ("test/a.png", {"Metadata_Split": "test"}),
        ("a.png", {}),
    ],
)
def test_what_folders_say(path: str, wanted: dict[str, str | None]) -> None:
    assert folder_metadata(path) == wanted


def test_a_table_in_the_folder_is_found_and_its_columns_are_normalized(
    table: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    root, frame = table
    frame.assign(feature_17=0.3).to_csv(root / "metadata.csv", index=False)
    store = mb.ingest(root, tmp_path / "store", size_px=16)
    assert store.images.shape == (6, 3, 16, 16)
    assert list(store.metadata) == [
        "Metadata_Path",
        "Metadata_Plate",
        "Metadata_Compound",
        "Metadata_Concentration_uM",
        "Metadata_ControlType",
    ]
    assert store.metadata["Metadata_Plate"].tolist() == ["000", "001"] * 3
    assert store.metadata["Metadata_Concentration_uM"].tolist() == [0, 0.5, 1, 1.5, 2, 2.5]
    assert store.labels.tolist() == [0, 1] * 3


def test_tables_of_every_kind_agree(table: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    root, frame = table
    frame.to_csv(tmp_path / "outside.csv", index=False)
    frame.to_parquet(root / "inside.parquet")
    wanted = mb.ingest(root, tmp_path / "a", metadata=frame, size_px=16)
    for name, metadata in (("b", tmp_path / "outside.csv"), ("c", "inside.parquet")):
        found = mb.ingest(root, tmp_path / name, metadata=metadata, size_px=16)
        pd.testing.assert_frame_equal(found.metadata, wanted.metadata)
        assert found.manifest["content_sha256"] == wanted.manifest["content_sha256"]
    assert len(mb.ingest(root / "inside.parquet", tmp_path / "d", size_px=16)) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="path"), "must have one column path, got"),
        (lambda t: t.assign(path="img/0.png"), "each path once, got 5 repeated, such as img/0.png"),
        (lambda t: t.assign(path=["", *t["path"][1:]]), "a path in every row, got none in row 0"),
        (
            lambda t: t.assign(Metadata_ControlType="maybe"),
            "Metadata_ControlType must be one of negcon, trt, poscon",
        ),
        (
            lambda t: t.assign(Metadata_Split="dev"),
            "Metadata_Split must be one of train, validation, test, got 'dev'",
        ),
        (lambda t: t.assign(Metadata_Plate="x"), "one column for Metadata_Plate, got several"),
        (lambda t: t.assign(concentration="high"), "Metadata_Concentration_uM must be a number, got 'high'"),
        (lambda t: t[:0], "at least one row"),
    ],
)
def test_bad_tables_are_refused(
    table: tuple[Path, pd.DataFrame], tmp_path: Path, change, message: str
) -> None:
    root, frame = table
    with pytest.raises(InputError, match=message):
        mb.ingest(root, tmp_path / "store", metadata=change(frame))
    assert not (tmp_path / "store").exists()


def test_the_studys_names() -> None:
    wanted = {
        "Metadata_CellLine": "A549",
        "Metadata_Plate": "P12",
        "Metadata_Well": "N19",
        "Metadata_Compound": "Methotrexate",
    }
    assert study_fields("drugs/A549_20x_P12_N19_Methotrexate_3_1.0_2019_5_21.jpg") == wanted
    assert study_fields("drugs/A549_P12_N19.jpg") is None


def test_the_studys_folders_with_the_studys_names(tmp_path: Path) -> None:
    root = tmp_path / "study"
    _save(root / "drugs" / "A549_x_P1_A1_Pemetrexed_1_2019_5_21.jpg")
    _save(root / "controls" / "A549_x_P1_P21_DMSO_1_2019_5_21.jpg")
    _save(root / "controls" / "HT29_x_P2_E2_Solvent_1_2019_5_21.jpg")
    _save(root / "controls" / "stray.jpg")
    store = mb.ingest(root, tmp_path / "store", pattern="study", size_px=16)
    assert store.metadata["Metadata_Compound"].tolist() == ["DMSO", "Solvent", "Pemetrexed"]
    assert store.labels.tolist() == [0, 0, 1]
    assert store.metadata["Metadata_Well"].tolist() == ["P21", "E2", "A1"]
    assert store.rejected["path"].tolist() == ["controls/stray.jpg"]
    assert "does not match the pattern 'study'" in store.rejected["reason"][0]


def test_names_by_a_regular_expression(tmp_path: Path) -> None:
    root = tmp_path / "flat"
    for name in ("p1-A01-dmso.png", "p1-A02-taxol.png", "p2-A01-dmso.png"):
        _save(root / name)
    pattern = r"(?P<plate>p\d)-(?P<Well>\w+)-(?P<Metadata_Compound>\w+)\.png"
    store = mb.ingest(root, tmp_path / "store", pattern=pattern, size_px=16)
    assert store.metadata["Metadata_Plate"].tolist() == ["p1", "p1", "p2"]
    assert store.labels.tolist() == [0, 1, 0]


def test_a_table_outranks_the_names(table: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    root, frame = table
    store = mb.ingest(
        root, tmp_path / "store", metadata=frame, pattern=r"(?P<Well>\d)\.(?P<Plate>png)", size_px=16
    )
    assert store.metadata["Metadata_Plate"].tolist() == ["000", "001"] * 3
    assert store.metadata["Metadata_Well"].tolist() == list("012345")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "a regular expression, got"),
        (r"\d", "named groups"),
        (r"(?P<Well>zzz)", "matches none of 6, such as"),
    ],
)
def test_bad_patterns_are_refused(folders: Path, tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=f"pattern must .*{message}"):
        mb.ingest(folders, tmp_path / "store", pattern=pattern)


def test_what_cannot_be_used_is_listed_and_the_rest_goes_in(folders: Path, tmp_path: Path) -> None:
    whole = (folders / "drugs/d0.png").read_bytes()
    (folders / "drugs/cut.png").write_bytes(whole[: len(whole) // 2])
    (folders / "drugs/empty.png").write_bytes(b"")
    (folders / "drugs/scan.bmp").write_bytes(b"BM")
    _save(folders / "drugs/colour.png", channels=3)
    tifffile.imwrite(folders / "drugs/deep.tif", np.zeros((16, 16), np.uint16))
    store = mb.ingest(folders, tmp_path / "store", size_px=16)
    assert len(store) == 6
    reasons = dict(zip(store.rejected["path"], store.rejected["reason"], strict=True))
    assert set(reasons) == {
        f"drugs/{name}" for name in ("cut.png", "empty.png", "scan.bmp", "colour.png", "deep.tif")
    }
    assert reasons["drugs/empty.png"] == "the file must hold an image, got an empty file"
    assert reasons["drugs/colour.png"] == "the image must have 1 channels as most images, got 3"
    assert "--range" in reasons["drugs/deep.tif"]
    assert store.manifest["counts"] == {"images": 6, "rejected": 5}
    assert str(tmp_path) not in " ".join(reasons.values())


def test_missing_files_are_rejected_and_nothing_left_is_refused(
    table: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    root, frame = table
    frame.loc[2, "path"] = "img/gone.png"
    store = mb.ingest(root, tmp_path / "store", metadata=frame, size_px=16)
    assert store.rejected.to_dict("records") == [{"path": "img/gone.png", "reason": "no such file"}]
    assert store.metadata["Metadata_Path"].tolist() == [f"img/{i}.png" for i in (0, 1, 3, 4, 5)]
    frame["path"] = [f"gone/{i}" for i in range(6)]
    with pytest.raises(InputError, match=r"got none of 6: no such file \(6 files\)"):
        mb.ingest(root, tmp_path / "other", metadata=frame)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "tabled"]


def test_sources_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        mb.ingest(tmp_path / "nowhere", tmp_path / "store")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="got none"):
        mb.ingest(tmp_path / "empty", tmp_path / "store")
    with pytest.raises(InputError, match="does not exist"):
        mb.ingest(tmp_path / "empty", tmp_path / "store", metadata="nowhere.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"broken\.parquet must be a readable CSV or Parquet"):
        mb.ingest(tmp_path / "broken.parquet", tmp_path / "store")


def test_tiles_crops_and_channels(tmp_path: Path) -> None:
    array = _save(tmp_path / "source" / "drugs" / "large.png", size=256, channels=3)
    store = mb.ingest(tmp_path / "source", tmp_path / "store", tile=64, channels="2")
    assert store.images.shape == (16, 1, 64, 64)
    assert store.metadata["Metadata_Tile"].tolist() == list(range(16))
    np.testing.assert_array_equal(store.images[5, 0], array[2, 64:128, 64:128])
    crop = mb.ingest(tmp_path / "source", tmp_path / "crop", fit="crop", channels=(1, 0))
    np.testing.assert_array_equal(crop.images[0], array[[1, 0], 96:160, 96:160])


def test_sixteen_bit_images_need_a_range(tmp_path: Path) -> None:
    for i in range(3):
        path = tmp_path / "source" / f"{i}.tif"
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(
            path, RANDOM.integers(0, 4000, (2, 64, 64), dtype=np.uint16), photometric="minisblack"
        )
    with pytest.raises(InputError, match=r"--range \(value_range\) must be minmax.*; the largest value"):
        mb.ingest(tmp_path / "source", tmp_path / "store")
    store = mb.ingest(tmp_path / "source", tmp_path / "store", value_range="minmax")
    assert store.images.shape == (3, 2, 64, 64)
    assert store.images.min(axis=(2, 3)).max() == 0
    assert store.images.max(axis=(2, 3)).min() == 255


def test_the_same_again_is_returned_and_another_is_refused(folders: Path, tmp_path: Path) -> None:
    first = mb.ingest(folders, tmp_path / "store", size_px=16)
    made = (first.path / "manifest.json").stat().st_mtime_ns
    again = mb.ingest(folders, tmp_path / "store", size_px=16, threads=1)
    assert (again.path / "manifest.json").stat().st_mtime_ns == made
    with pytest.raises(InputError, match="fit 'resize' there, 'crop' now, size_px 16 there, 8 now"):
        mb.ingest(folders, tmp_path / "store", size_px=8, fit="crop")
    _save(folders / "drugs" / "more.png")
    with pytest.raises(InputError, match="made with others: other source;"):
        mb.ingest(folders, tmp_path / "store", size_px=16)
    assert len(mb.ingest(folders, tmp_path / "store", size_px=16, fresh=True)) == 7


def test_threads_do_not_change_the_result(table: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    root, frame = table
    hashes = {
        mb.ingest(root, tmp_path / f"s{n}", metadata=frame, threads=n).manifest["content_sha256"]
        for n in (1, 4, 7)
    }
    assert len(hashes) == 1


def test_an_interrupt_leaves_nothing(folders: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total == 6
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mb.ingest(folders, tmp_path / "store", progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_links_in_circles_end(folders: Path, tmp_path: Path) -> None:
    (folders / "drugs" / "again").symlink_to(folders)
    assert len(mb.ingest(folders, tmp_path / "store", size_px=16)) == 6


@pytest.mark.parametrize(("channels", "wanted"), [(None, 3), ("1", 1)])
def test_real_images(bbbc021: Path, tmp_path: Path, channels: str | None, wanted: int) -> None:
    rows = pd.read_csv(bbbc021 / "metadata.csv").iloc[::100]
    store = mb.ingest(bbbc021, tmp_path / "store", metadata=rows, channels=channels)
    assert store.images.shape == (75, wanted, 64, 64)
    assert store.rejected.empty
    assert store.labels.tolist() == (rows["Metadata_ControlType"] == "trt").astype(int).tolist()
    assert "Metadata_Replicate" in store.metadata


def test_real_16_bit_images_scaled_are_the_8_bit_ones(bbbc021: Path, tmp_path: Path) -> None:
    store = mb.ingest(bbbc021 / "tiff16", tmp_path / "store", value_range="percentile")
    assert store.images.shape == (32, 3, 64, 64)
    assert store.manifest["source_shapes"] == {"3x68x68 uint16": 32}
    assert store.rejected.empty
    assert 10 < store.images.mean() < 200
