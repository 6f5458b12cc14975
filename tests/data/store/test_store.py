"""The store: what goes in comes out, damage is noticed, and nothing half-made is left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from morphobench.data import ImageStore
from morphobench.data.store.writer import StoreWriter, existing_store
from morphobench.errors import CheckError, InputError


def _images(count: int = 6, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, channels, 8, 8), dtype=np.uint8)


def _metadata(count: int = 6) -> pd.DataFrame:
    return pd.DataFrame({"plate": [1, 1, 2, 2, 3, 3][:count], "compound": ["DMSO", "x"] * (count // 2)})


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore.create(tmp_path / "store", _images(), _metadata())


def test_what_goes_in_comes_out(store: ImageStore) -> None:
    again = ImageStore.open(store.path)
    np.testing.assert_array_equal(again.images, _images())
    assert isinstance(again.images, np.memmap)
    assert not again.images.flags.writeable
    assert again.image_ids.dtype == np.int64
    assert again.image_ids.tolist() == list(range(6))
    assert again.labels.tolist() == [0, 1] * 3
    assert again.labels.dtype == np.int64
    assert again.metadata["Metadata_Plate"].tolist() == ["1", "1", "2", "2", "3", "3"]
    assert len(again) == 6
    assert again.rejected.empty
    again.verify()


def test_the_manifest_says_how_it_was_made(store: ImageStore) -> None:
    manifest = json.loads((store.path / "manifest.json").read_text())
    assert manifest["shape"] == [6, 2, 8, 8]
    assert manifest["counts"] == {"images": 6, "rejected": 0}
    assert set(manifest["versions"]) >= {"numpy", "pillow", "python"}
    assert len(manifest["content_sha256"]) == 64


def test_a_subset_of_rows_keeps_the_image_ids(store: ImageStore) -> None:
    assert store.metadata.iloc[[1, 4]].index.tolist() == [1, 4]


def test_changed_pixels_fail_verify_only(store: ImageStore) -> None:
    with (store.path / "images.npy").open("r+b") as file:
        file.seek(-1, 2)
        file.write(bytes([int(_images()[-1, -1, -1, -1]) ^ 1]))
    opened = ImageStore.open(store.path)
    with pytest.raises(CheckError, match="SHA-256"):
        opened.verify()


def test_a_truncated_array_is_refused(store: ImageStore) -> None:
    file = store.path / "images.npy"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"images\.npy"):
        ImageStore.open(store.path)


def test_a_longer_array_is_refused(store: ImageStore) -> None:
    file = store.path / "images.npy"
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(InputError, match="bytes wanted"):
        ImageStore.open(store.path)


def test_changed_metadata_is_refused(store: ImageStore) -> None:
    table = pd.read_parquet(store.path / "metadata.parquet")
    table["Metadata_Plate"] = "9"
    table.to_parquet(store.path / "metadata.parquet", index=False)
    with pytest.raises(InputError, match="checksum"):
        ImageStore.open(store.path)


@pytest.mark.parametrize("name", ["images.npy", "metadata.parquet", "rejected.csv", "manifest.json"])
def test_a_missing_file_is_named(store: ImageStore, name: str) -> None:
    (store.path / name).unlink()
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        ImageStore.open(store.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": "zarr"}, "another JSON"), ({"format_version": 99}, "version 1 wanted, got 99")],
)
def test_another_format_or_version_is_refused(
    store: ImageStore, change: dict[str, object], message: str
) -> None:
    file = store.path / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=message):
        ImageStore.open(store.path)


def test_a_manifest_of_half_a_file_is_refused(store: ImageStore) -> None:
    file = store.path / "manifest.json"
    file.write_text(file.read_text()[:40])
    with pytest.raises(InputError, match="readable JSON"):
        ImageStore.open(store.path)


def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        ImageStore.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        ImageStore.open(tmp_path)


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "store", image_shape=(2, 8, 8), manifest={})
    with pytest.raises(KeyboardInterrupt), writer:  # noqa: PT012
        writer.append(_images())
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_writer_left_early_leaves_nothing(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "store", image_shape=(2, 8, 8), manifest={})
    with pytest.raises(InputError, match="before finish"), writer:
        writer.append(_images())
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    leftover = tmp_path / ".store.partial-0123456789ab"
    leftover.mkdir()
    (leftover / "images.npy").write_bytes(b"x")
    ImageStore.create(tmp_path / "store", _images(), _metadata())
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_two_writers_do_not_disturb_each_other(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store", image_shape=(2, 8, 8), manifest={}) as first:
        first.append(_images())
        ImageStore.create(tmp_path / "store", _images(4), _metadata(4))
        with pytest.raises(InputError, match="cannot be written"):
            first.finish(_metadata())
    assert len(ImageStore.open(tmp_path / "store")) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_failed_replacement_keeps_the_old_store(store: ImageStore) -> None:
    with pytest.raises(InputError, match="as many rows"):
        ImageStore.create(store.path, _images(), _metadata(4), fresh=True)
    assert len(ImageStore.open(store.path)) == 6


def test_fresh_replaces_a_store_and_nothing_else(store: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--fresh"):
        ImageStore.create(store.path, _images(4), _metadata(4))
    assert len(ImageStore.create(store.path, _images(4), _metadata(4), fresh=True)) == 4
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work")
    with pytest.raises(InputError, match="other files"):
        ImageStore.create(other, _images(4), _metadata(4), fresh=True)
    with pytest.raises(InputError, match="got a file"):
        ImageStore.create(other / "chapter.txt", _images(4), _metadata(4), fresh=True)
    assert (other / "chapter.txt").read_text() == "years of work"


def test_wrong_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="uint8 wanted, got float32"):
        ImageStore.create(tmp_path / "a", _images().astype(np.float32), _metadata())
    with pytest.raises(InputError, match=r"\(N, C, H, W\)"):
        ImageStore.create(tmp_path / "b", _images()[0], _metadata())
    with pytest.raises(InputError, match=r"\(N, C, H, W\)"):
        ImageStore.create(tmp_path / "c", _images()[:0], _metadata(0))
    assert list(tmp_path.iterdir()) == []


def test_other_options_are_named(tmp_path: Path) -> None:
    manifest = {"created_by": "simulate", "options": {"images": 6, "seed": 0}}
    made = ImageStore.create(tmp_path / "store", _images(), _metadata(), manifest=manifest)
    same = existing_store(made.path, created_by="simulate", options={"images": 6, "seed": 0}, fresh=False)
    assert same is not None
    assert len(same) == 6
    with pytest.raises(InputError, match="seed 0 there, 1 now"):
        existing_store(made.path, created_by="simulate", options={"images": 6, "seed": 1}, fresh=False)
    with pytest.raises(InputError, match="not 'ingest'"):
        existing_store(made.path, created_by="ingest", options={}, fresh=False)
    assert existing_store(made.path, created_by="ingest", options={}, fresh=True) is None


def test_a_relative_destination_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "empty"
    inside.mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(ImageStore.create("made", _images(), _metadata())) == 6
    assert len(ImageStore.create("empty/../again", _images(), _metadata())) == 6
    assert len(ImageStore.create("deep/er/store", _images(), _metadata())) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "deep", "empty", "made"]


def test_arrays_that_are_views_are_written_as_they_look(tmp_path: Path) -> None:
    turned = _images()[:, :, ::-1, ::-1].transpose(0, 1, 3, 2)
    store = ImageStore.create(tmp_path / "store", turned, _metadata())
    np.testing.assert_array_equal(store.images, turned)
    store.verify()
