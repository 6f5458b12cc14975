"""The store: what goes in comes out, damage is noticed, and nothing half-made is left."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from morphobench._util.hashing import sha256_file
from morphobench.data import ImageStore
from morphobench.data.store.format import manifest_digest
from morphobench.data.store.reader import existing_store
from morphobench.data.store.writer import StoreWriter
from morphobench.errors import CheckError, InputError
from morphobench.types import UInt8Array


def _images(count: int = 6, channels: int = 2) -> UInt8Array:
    return np.random.default_rng(0).integers(0, 256, (count, channels, 8, 8), dtype=np.uint8)


def _metadata(count: int = 6) -> pd.DataFrame:
    return pd.DataFrame({"plate": [1, 1, 2, 2, 3, 3][:count], "compound": ["DMSO", "x"] * (count // 2)})


def _change_manifest(folder: Path, **changes: object) -> None:
    """Change keys, and the checksum with them, as a program with a mistake would."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text()) | changes
    file.write_text(json.dumps(manifest | {"manifest_sha256": manifest_digest(manifest)}))


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
    with pytest.raises(InputError, match=r"images\.npy must have \d+ bytes"):
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
    [
        ({"format": "zarr"}, "another JSON"),
        ({"format_version": 99}, "version 1 to 2, got version 99"),
        ({"format_version": None}, "got version None"),
        ({"shape": [6, 2, 8]}, "own checksum"),
    ],
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
    with pytest.raises(InputError, match=r"manifest\.json must be JSON"):
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
    with pytest.raises(InputError, match="completed by finish"), writer:
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
        with pytest.raises(InputError, match=r"store must be writable, got: another process is writing it"):
            ImageStore.create(tmp_path / "store", _images(4), _metadata(4))
        first.finish(_metadata())
    assert len(ImageStore.open(tmp_path / "store")) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_failed_replacement_keeps_the_old_store(store: ImageStore) -> None:
    with pytest.raises(InputError, match="must have as many rows"):
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
    with pytest.raises(TypeError, match="images must have dtype uint8, got float32"):
        ImageStore.create(tmp_path / "a", _images().astype(np.float32), _metadata())
    with pytest.raises(InputError, match=r"\(N, C, H, W\)"):
        ImageStore.create(tmp_path / "b", _images()[0], _metadata())
    with pytest.raises(InputError, match=r"\(N, C, H, W\)"):
        ImageStore.create(tmp_path / "c", _images()[:0], _metadata(0))
    with pytest.raises(InputError, match=r"\(6, 8, 8, 3\), which has its channels last"):
        ImageStore.create(tmp_path / "d", np.zeros((6, 8, 8, 3), np.uint8), _metadata())
    with pytest.raises(InputError, match="at least one image"):
        ImageStore.create(tmp_path / "e", iter(()), _metadata(0))
    assert list(tmp_path.iterdir()) == []


def test_batches_of_an_iterator_are_written_one_by_one(tmp_path: Path) -> None:
    batches = (_images()[start : start + 2] for start in (0, 2, 4))
    made = ImageStore.create(tmp_path / "store", batches, _metadata(), channel_names=["DNA", "ER"])
    np.testing.assert_array_equal(made.images, _images())
    assert ImageStore.open(made.path).channel_names == ("DNA", "ER")
    with pytest.raises(InputError, match=r"must have shape \(B, \*\(2, 8, 8\)\)"):
        ImageStore.create(tmp_path / "other", [_images(), _images(channels=1)], _metadata())


def test_other_options_are_named(tmp_path: Path) -> None:
    manifest = {"created_by": "simulate", "options": {"images": 6, "seed": 0}}
    made = ImageStore.create(tmp_path / "store", _images(), _metadata(), manifest=manifest)
    same = existing_store(made.path, created_by="simulate", options={"images": 6, "seed": 0}, fresh=False)
    assert same is not None
    assert len(same) == 6
    with pytest.raises(InputError, match="seed 0 there, 1 now"):
        existing_store(made.path, created_by="simulate", options={"images": 6, "seed": 1}, fresh=False)
    with pytest.raises(InputError, match="made by ingest, got one made by 'simulate'"):
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


def test_a_store_of_version_1_is_read(store: ImageStore) -> None:
    file = store.path / "manifest.json"
    manifest = json.loads(file.read_text()) | {"format_version": 1}
    del manifest["manifest_sha256"], manifest["rejected_sha256"]
    file.write_text(json.dumps(manifest))
    old = ImageStore.open(store.path)
    old.verify()
    assert len(old) == 6


@pytest.mark.parametrize("name", ["images.npy", "rejected.csv"])
def test_a_changed_file_fails_verify(store: ImageStore, name: str) -> None:
    with (store.path / name).open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    with pytest.raises(CheckError, match=f"{name} must have SHA-256"):
        ImageStore.open(store.path).verify()


def test_a_changed_manifest_is_refused(store: ImageStore) -> None:
    file = store.path / "manifest.json"
    file.write_text(file.read_text().replace('"created_by": "create"', '"created_by": "ingest"'))
    with pytest.raises(InputError, match=r"manifest\.json must match its own checksum"):
        ImageStore.open(store.path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": [6, 2, 8]}, "shape must be four whole numbers"),
        ({"shape": [-1, 2, 8, 8]}, "shape must be four whole numbers"),
        ({"shape": [7, 2, 8, 8]}, r"images\.npy must be uint8 \(7, 2, 8, 8\), got"),
        ({"channel_names": ["DNA"]}, "channel_names must be 2 names"),
        ({"options": []}, "options must be an object"),
        ({"metadata_sha256": []}, "metadata_sha256 must be a text"),
    ],
)
def test_an_impossible_manifest_is_refused(
    store: ImageStore, changes: dict[str, object], message: str
) -> None:
    _change_manifest(store.path, **changes)
    with pytest.raises(InputError, match=message):
        ImageStore.open(store.path)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, 1, 2, 3, 4, 4], "got 4 in row 5"),
        ([-1, 1, 2, 3, 4, 5], "got -1 in row 0"),
        ([0.5, 1, 2, 3, 4, 5], "got values of type float64"),
        ([None, 1, 2, 3, 4, 5], "got values of type float64"),
        (["a", "b", "c", "d", "e", "f"], "got values of type"),
    ],
)
def test_image_ids_must_be_different_whole_numbers(
    store: ImageStore, ids: list[object], message: str
) -> None:
    file = store.path / "metadata.parquet"
    pd.read_parquet(file).assign(image_id=pd.Series(ids)).to_parquet(file, index=False)
    _change_manifest(store.path, metadata_sha256=sha256_file(file))
    with pytest.raises(InputError, match=f"image_id must be different whole numbers from 0 on, {message}"):
        ImageStore.open(store.path)


@pytest.mark.parametrize("name", ["images.npy", "metadata.parquet", "rejected.csv", "manifest.json"])
def test_a_pipe_in_place_of_a_file_is_refused(store: ImageStore, name: str) -> None:
    (store.path / name).unlink()
    os.mkfifo(store.path / name)
    with pytest.raises(InputError, match=f"{name} must be a regular file, got a named pipe"):
        ImageStore.open(store.path)


def test_fresh_leaves_other_peoples_files(store: ImageStore, tmp_path: Path) -> None:
    (store.path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds other files: thesis\.txt"):
        ImageStore.create(store.path, _images(4), _metadata(4), fresh=True)
    (store.path / "thesis.txt").rename(tmp_path / "thesis.txt")
    (store.path / "rejected.csv").unlink()
    (store.path / "rejected.csv").symlink_to(tmp_path / "thesis.txt")
    with pytest.raises(InputError, match=r"holds other files: rejected\.csv"):
        ImageStore.create(store.path, _images(4), _metadata(4), fresh=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.json").write_text('{"name": "another program"}')
    (other / "images.npy").write_bytes(b"pixels")
    with pytest.raises(InputError, match=r"holds other files: images\.npy, manifest\.json"):
        ImageStore.create(other, _images(4), _metadata(4), fresh=True)
    assert sorted(path.name for path in other.iterdir()) == ["images.npy", "manifest.json"]
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
