"""Damaged, edited and foreign stores: named with the file, never opened as if they were whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from morphobench import ImageStore
from morphobench.cli import main
from morphobench.data.store.format import FILES, manifest_digest
from morphobench.errors import CheckError, InputError
from tests.hostile.conftest import WHOLE

VALUES: tuple[Any, ...] = (None, -1, 0, 1e300, True, "", "x", [], [1], {}, {"a": 1}, [[[]]])
KEYS = ("format", "format_version", "shape", "content_sha256", "metadata_sha256", "rejected_sha256")
CHANGES = 60 if WHOLE else 8


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    images = np.random.default_rng(0).integers(0, 256, (6, 2, 8, 8), dtype=np.uint8)
    table = pd.DataFrame({"plate": list("AABBCC"), "compound": ["DMSO", "x"] * 3})
    return ImageStore.create(tmp_path / "store", images, table, channel_names=["DNA", "ER"])


def _refused(path: Path) -> None:
    """The store is refused when it is opened or verified, with a message that names it."""
    with pytest.raises((InputError, CheckError)) as caught:
        ImageStore.open(path).verify()
    assert str(caught.value).startswith(str(path))


def _edit(path: Path, **changes: Any) -> None:
    manifest = json.loads((path / "manifest.json").read_text()) | changes
    manifest["manifest_sha256"] = manifest_digest(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("value", VALUES, ids=str)
@pytest.mark.parametrize("key", KEYS)
def test_impossible_values_of_the_manifest(
    store: ImageStore, key: str, value: Any, case: Callable[[str], None]
) -> None:
    _edit(store.path, **{key: value})
    _refused(store.path)
    case("refused")


@pytest.mark.parametrize("key", KEYS)
def test_keys_that_are_missing(store: ImageStore, key: str, case: Callable[[str], None]) -> None:
    manifest = json.loads((store.path / "manifest.json").read_text())
    del manifest[key]
    manifest["manifest_sha256"] = manifest_digest(manifest)
    (store.path / "manifest.json").write_text(json.dumps(manifest))
    _refused(store.path)
    case("refused")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        '"x"',
        "[" * 100_000,
        '{"format": NaN}',
        "{}",
        "\0",
        "9" * 5_000,
        "\ufeff{}",
    ],
)
def test_manifests_that_are_none(store: ImageStore, text: str, case: Callable[[str], None]) -> None:
    (store.path / "manifest.json").write_text(text)
    _refused(store.path)
    case("refused")


@pytest.mark.parametrize("seed", range(CHANGES))
@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_of_any_file(
    store: ImageStore, name: str, seed: int, case: Callable[[str], None]
) -> None:
    data = bytearray((store.path / name).read_bytes())
    position = int(np.random.default_rng(seed).integers(0, len(data)))
    data[position] ^= 1 << (seed % 8)
    (store.path / name).write_bytes(data)
    error = None
    try:
        found = ImageStore.open(store.path)
        found.verify()
    except (InputError, CheckError) as raised:
        error = raised
    if error is not None:
        assert str(error).startswith(str(store.path))
        case("refused")
        return
    # what no checksum covers is the header of images.npy (its padding) and spaces between the manifest's keys
    np.testing.assert_array_equal(found.images, store.images)
    pd.testing.assert_frame_equal(found.metadata, store.metadata)
    assert found.manifest == store.manifest
    assert name in ("images.npy", "manifest.json")
    case("right")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", FILES)
def test_cut_off_files(store: ImageStore, name: str, share: float, case: Callable[[str], None]) -> None:
    data = (store.path / name).read_bytes()
    (store.path / name).write_bytes(data[: min(int(share * len(data)), len(data) - 3)])
    _refused(store.path)
    case("refused")


@pytest.mark.parametrize("kind", ["gone", "fifo", "folder", "device", "loop"])
@pytest.mark.parametrize("name", FILES)
def test_files_that_are_none(store: ImageStore, name: str, kind: str, case: Callable[[str], None]) -> None:
    file = store.path / name
    file.unlink()
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "loop":
        file.symlink_to(file)
    _refused(store.path)
    case("refused")


def _header(shape: str, descr: str = "|u1", order: str = "False") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "header",
    [
        _header("(-1, 2, 8, 8)"),
        _header("(4611686018427387904, 2, 8, 8)"),
        _header("(7, 2, 8, 8)"),
        _header("(6, 2, 64)"),
        _header("(6, 2, 8, 8)", descr="<f4"),
        _header("(6, 2, 8, 8)", descr="|O"),
        _header("(6, 2, 8, 8)", order="True"),
        _header("__import__('os').system('true')"),
        b"\x93NUMPY\x09\x00" + b"\0" * 120,
        b"no array" * 20,
    ],
)
def test_headers_of_the_images_that_lie(
    store: ImageStore, header: bytes, case: Callable[[str], None]
) -> None:
    (store.path / "images.npy").write_bytes(header + store.images.tobytes())
    _refused(store.path)
    case("refused")


@pytest.mark.parametrize("name", ["images.npy", "metadata.parquet", "rejected.csv"])
def test_files_of_another_store(
    store: ImageStore, tmp_path: Path, name: str, case: Callable[[str], None]
) -> None:
    other = ImageStore.create(
        tmp_path / "other",
        255 - np.asarray(store.images),
        store.metadata.assign(Metadata_Plate="Z"),
        rejected=pd.DataFrame({"path": ["a"], "reason": ["b"]}),
    )
    (store.path / name).write_bytes((other.path / name).read_bytes())
    _refused(store.path)
    case("refused")


def test_a_run_refuses_a_store_with_a_flipped_pixel(
    store: ImageStore, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: Callable[[str], None]
) -> None:
    with (store.path / "images.npy").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    assert main(["run", str(store.path), str(tmp_path / "out"), "--profile", "smoke"]) == 1
    assert "images.npy must have SHA-256" in capsys.readouterr().err
    case("refused")
