"""OME-Zarr, CZI and others through bioio."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import morphobench as mb
from morphobench._util import extras
from morphobench.errors import InputError
from tests.support.nd2 import write_nd2
from tests.support.plates import OPTIONS, PIXELS, scaled


def _write_zarr(path: Path, shape: tuple[int, ...], **further: object) -> None:
    writers = pytest.importorskip("bioio_ome_zarr.writers", reason="the extra formats is not installed")
    pytest.importorskip("bioio", reason="the extra formats is not installed")
    names = [writers.Channel(label=name, color="FFFFFF") for name in ("DNA", "ER", "RNA", "AGP", "Mito")]
    writer = writers.OMEZarrWriter(
        store=str(path), level_shapes=shape, dtype="uint16", channels=names, zarr_format=2, **further
    )
    data = PIXELS[int(path.name[0])]
    writer.write_full_volume(np.broadcast_to(data[:, None], shape) if len(shape) > 3 else data)


def test_ome_zarr(tmp_path: Path) -> None:
    root = tmp_path / "zarr"
    for number in range(2):
        _write_zarr(
            root / "plate" / f"{number}.ome.zarr",
            (5, 40, 40),
            axes_names=["c", "y", "x"],
            axes_types=["channel", "space", "space"],
        )
    store = mb.ingest(root, tmp_path / "store", **OPTIONS)
    assert store.channel_names == ("DNA", "ER", "RNA", "AGP", "Mito")
    np.testing.assert_array_equal(store.images, scaled(PIXELS[:2]))
    by_name = mb.ingest(root, tmp_path / "by_name", channels="Mito,DNA", **OPTIONS)
    np.testing.assert_array_equal(by_name.images, scaled(PIXELS[:2, [4, 0]]))


def test_time_points_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "zarr"
    _write_zarr(root / "0.zarr", (3, 5, 1, 40, 40))
    with pytest.raises(InputError, match="must have one time point and one focal plane, got 3 and 1"):
        mb.ingest(root, tmp_path / "store", **OPTIONS)


def test_without_bioio_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str) -> None:
        raise ImportError(f"No module named {module!r}")

    monkeypatch.setattr(extras, "import_module", absent)
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.czi").write_bytes(b"ZISRAWFILE")
    with pytest.raises(InputError, match=r"pip install 'morphobench\[formats\]'"):
        mb.ingest(tmp_path / "scans", tmp_path / "store")


def test_czi(tmp_path: Path) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi", reason="no writer of CZI here (pip install pylibCZIrw)")
    pytest.importorskip("bioio_czi", reason="the extra formats is not installed")
    folder = tmp_path / "scans" / "controls"
    folder.mkdir(parents=True)
    for number in range(2):
        with czi.create_czi(str(folder / f"{number}.CZI")) as document:
            for channel in range(2):
                document.write(data=np.ascontiguousarray(PIXELS[number, channel]), plane={"C": channel})
            document.write_metadata(channel_names={0: "DNA", 1: "ER"})
    store = mb.ingest(tmp_path / "scans", tmp_path / "store", **OPTIONS)
    assert store.channel_names == ("DNA", "ER")
    np.testing.assert_array_equal(store.images, scaled(PIXELS[:2, :2]))
    assert store.metadata["Metadata_ControlType"].tolist() == ["negcon"] * 2


def test_nd2(tmp_path: Path) -> None:
    pytest.importorskip("bioio_nd2", reason="the extra formats is not installed")
    folder = tmp_path / "scans" / "controls"
    folder.mkdir(parents=True)
    for number in range(2):
        write_nd2(folder / f"{number}.nd2", PIXELS[number, :2], ["DNA", "ER"])
    store = mb.ingest(tmp_path / "scans", tmp_path / "store", **OPTIONS)
    assert store.channel_names == ("DNA", "ER")
    np.testing.assert_array_equal(store.images, scaled(PIXELS[:2, :2]))


def test_a_plate_of_ome_zarr(tmp_path: Path) -> None:
    plate = tmp_path / "BR1.zarr"
    for number, well in enumerate(("A/1", "B/2")):
        _write_zarr(
            plate / well / str(number),
            (5, 40, 40),
            axes_names=["c", "y", "x"],
            axes_types=["channel", "space", "space"],
        )
        described = {"well": {"images": [{"path": str(number)}]}}
        (plate / well / ".zattrs").write_text(json.dumps(described))
    (plate / ".zattrs").write_text(json.dumps({"plate": {"wells": [{"path": "A/1"}, {"path": "B/2"}]}}))
    maps = pd.DataFrame({"well": ["A01", "B02"], "compound": ["DMSO", "taxol"]})
    store = mb.ingest(plate, tmp_path / "store", platemap=maps, **OPTIONS)
    np.testing.assert_array_equal(store.images, scaled(PIXELS[:2]))
    assert store.channel_names == ("DNA", "ER", "RNA", "AGP", "Mito")
    assert store.metadata["Metadata_Plate"].tolist() == ["BR1"] * 2
    assert store.metadata["Metadata_Well"].tolist() == ["A01", "B02"]
    assert store.metadata["Metadata_ControlType"].tolist() == ["negcon", "trt"]
