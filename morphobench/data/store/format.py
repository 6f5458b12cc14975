"""Format of a store: its files, its manifest, and the checks of both.

A store is a folder of four files:

``images.npy``        uint8 (N, C, H, W), in C order, readable with ``numpy.load(..., mmap_mode="r")``
``metadata.parquet``  N rows in the same order: ``image_id`` and the ``Metadata_`` columns
``manifest.json``     format and version, checksums, counts, creation command and options, package versions
``rejected.csv``      ``path`` and ``reason`` of every input that did not go in (often only the heading)
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from morphobench._util.files import kind_of_file, open_regular
from morphobench._util.json import read_json_object, to_json
from morphobench.errors import InputError
from morphobench.types import UInt8Array

FORMAT = "morphobench-store"
FORMAT_VERSION = 2
"""Version 2 has checksums of every file; version 1, which is still read, of images and metadata only."""

IMAGES, METADATA, MANIFEST, REJECTED = "images.npy", "metadata.parquet", "manifest.json", "rejected.csv"
FILES = (IMAGES, METADATA, MANIFEST, REJECTED)

_REQUIRED = {
    1: ("shape", "content_sha256", "metadata_sha256", "options"),
    2: ("shape", "content_sha256", "metadata_sha256", "rejected_sha256", "manifest_sha256", "options"),
}


def channels_are_last(shape: Sequence[int]) -> bool:
    """Tell whether an image of three axes must be (H, W, C) rather than (C, H, W).

    Args:
        shape: the three sizes.

    Returns:
        Whether the last is at most 16 and the smallest.
    """
    return len(shape) == 3 and shape[2] <= 16 and shape[2] < min(shape[:2])


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """Hash a manifest.

    Args:
        manifest: its keys and values; ``manifest_sha256`` is left out.

    Returns:
        The hexadecimal SHA-256 of the manifest as sorted JSON.
    """
    content = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    return hashlib.sha256(to_json(content, sort_keys=True).encode()).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a store.

    Args:
        folder: the store.

    Returns:
        The manifest.

    Raises:
        InputError: where the folder holds no store of this format, or the manifest is damaged.
    """
    file = folder / MANIFEST
    if not folder.is_dir():
        state = "got a file" if folder.exists() else "but it does not exist"
        raise InputError(f"{folder} must be the folder of an image store, {state}")
    if not file.exists() and not file.is_symlink():
        raise InputError(
            f"{folder} must be an image store (morphobench ingest makes one), but has no {MANIFEST}"
        )
    manifest = read_json_object(file)
    if manifest.get("format") != FORMAT:
        raise InputError(f"{file} must be the manifest of a {FORMAT}, got another JSON file")
    version = manifest.get("format_version")
    if isinstance(version, bool) or not isinstance(version, int) or version not in _REQUIRED:
        raise InputError(
            f"{folder} must be a store of format version 1 to {FORMAT_VERSION}, got version {version!r}; "
            "a newer version of morphobench may read it"
        )
    missing = [key for key in _REQUIRED[version] if key not in manifest]
    if missing:
        raise InputError(f"{file} must have {', '.join(missing)}, got a manifest without: it is damaged")
    if version > 1 and manifest["manifest_sha256"] != manifest_digest(manifest):
        raise InputError(f"{file} must match its own checksum, but it was changed or damaged")
    _check_manifest(file, manifest)
    return manifest


def _check_manifest(file: Path, manifest: Mapping[str, Any]) -> None:
    shape, names = manifest["shape"], manifest.get("channel_names")
    if (
        not isinstance(shape, list)
        or len(shape) != 4
        or any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in shape)
    ):
        raise InputError(f"{file}: shape must be four whole numbers from 1 on, got {shape!r}")
    if names is not None and (not isinstance(names, list) or len(names) != shape[1]):
        raise InputError(f"{file}: channel_names must be {shape[1]} names, got {names!r}")
    if not isinstance(manifest["options"], dict):
        raise InputError(f"{file}: options must be an object, got {manifest['options']!r}")
    for key in ("content_sha256", "metadata_sha256", "rejected_sha256"):
        if not isinstance(manifest.get(key, ""), str):
            raise InputError(f"{file}: {key} must be a text, got {manifest[key]!r}")


def foreign_files(folder: Path) -> list[str]:
    """List what in a folder does not belong to a store.

    Args:
        folder: a folder.

    Returns:
        Sorted names of the files that are not a store's own; all, where the folder's manifest is not that of
        a store.
    """
    names = sorted(path.name for path in folder.iterdir())
    try:
        own = read_json_object(folder / MANIFEST).get("format") == FORMAT
    except InputError:
        own = False
    if not own:
        return names
    return [
        name
        for name in names
        if name not in FILES or kind_of_file((folder / name).lstat().st_mode) is not None
    ]


def map_images(folder: Path, manifest: Mapping[str, Any]) -> UInt8Array:
    """Map the images of a store into memory and check their shape and size.

    Args:
        folder: the store.
        manifest: its manifest.

    Returns:
        Read-only memory map, uint8 (N, C, H, W).

    Raises:
        InputError: where the file is not what the manifest says.
    """
    file, shape = folder / IMAGES, tuple(manifest["shape"])
    start, found, dtype = _header(file)
    if dtype != np.uint8 or found != shape:
        raise InputError(f"{file} must be uint8 {shape}, got {dtype} {found}")
    size = file.stat().st_size
    expected = start + int(np.prod(shape, dtype=object))
    if size != expected:
        raise InputError(f"{file} must have {expected} bytes, got {size}")
    return cast("UInt8Array", np.load(file, mmap_mode="r", allow_pickle=False))


def data_offset(file: Path) -> int:
    """Find where the pixels begin in a .npy file.

    Args:
        file: the file.

    Returns:
        Number of bytes before the pixels.

    Raises:
        InputError: for a file that is no .npy array.
    """
    return _header(file)[0]


def _header(file: Path) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
    """Offset of the pixels, shape and dtype of a .npy file in C order."""
    try:
        with open_regular(file) as opened:
            version = np.lib.format.read_magic(opened)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(opened)
            start = opened.tell()
    except InputError:
        raise
    except Exception as error:  # a damaged header is Python text that may fail in many ways
        raise InputError(f"{file} must be a whole .npy array, got: {error}") from error
    if fortran:
        raise InputError(f"{file} must be in C order, got Fortran order")
    return start, tuple(shape), dtype


def require_files(folder: Path) -> None:
    """Check that the files of a store are there and are regular files.

    Args:
        folder: the store.

    Raises:
        InputError: for a file that is absent, a link to nothing, a pipe or a device.
    """
    for name in FILES:
        try:
            mode = (folder / name).stat().st_mode
        except OSError as error:
            raise InputError(f"{folder} must be a store with {name}, but it has none") from error
        if not stat.S_ISREG(mode):
            raise InputError(f"{folder / name} must be a regular file, got {kind_of_file(mode)}")
