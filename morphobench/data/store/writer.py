"""Writes a store image by image, so that data larger than memory go in; finds one made before."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import pandas as pd

from morphobench._util.files import folder_in_place_of
from morphobench._util.hashing import sha256_file
from morphobench.data.metadata import checked_columns
from morphobench.data.store.reader import (
    FORMAT,
    FORMAT_VERSION,
    IMAGES,
    MANIFEST,
    METADATA,
    REJECTED,
    ImageStore,
    read_manifest,
)
from morphobench.errors import InputError
from morphobench.types import Path as PathLike
from morphobench.types import UInt8Array

_PACKAGES = ("morphobench", "numpy", "pandas", "pillow", "pyarrow", "tifffile")


class StoreWriter:
    """A context to append images in; ``finish`` makes the store appear, anything else leaves nothing.

    ``image_shape``: (C, H, W) of every image. ``manifest``: further keys, such as ``created_by`` and
    ``options``. ``fresh`` replaces a store at ``destination``. InputError for a destination that is taken.
    """

    def __init__(
        self,
        destination: PathLike,
        *,
        image_shape: Sequence[int],
        manifest: Mapping[str, Any],
        fresh: bool = False,
    ) -> None:
        self._destination = Path(destination)
        self._image_shape = tuple(int(size) for size in image_shape)
        self._manifest = dict(manifest)
        self._fresh = fresh
        self._count = 0
        self._digest = hashlib.sha256()
        self._finished = self._failed = False

    def __enter__(self) -> StoreWriter:
        refuse_taken(self._destination, fresh=self._fresh)
        self._context: AbstractContextManager[Path] = folder_in_place_of(
            self._destination, replace=self._fresh
        )
        try:
            self._folder = self._context.__enter__()
        except OSError as error:
            raise InputError(f"{self._destination}: cannot be written: {error}") from error
        self._file: IO[bytes] = (self._folder / IMAGES).open("wb")
        self._write_header()
        return self

    def _write_header(self) -> None:
        # numpy leaves room in the header for a longer N, so it can be written again when N is known.
        header = {"descr": "|u1", "fortran_order": False, "shape": (self._count, *self._image_shape)}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, images: UInt8Array) -> None:
        """Add images uint8 (B, C, H, W); InputError for another shape, TypeError for another dtype."""
        if images.dtype != np.uint8:
            raise TypeError(f"images must be uint8, got {images.dtype}")
        if images.ndim != 4 or images.shape[1:] != self._image_shape:
            raise InputError(f"images must have shape (B, *{self._image_shape}), got {images.shape}")
        data = np.ascontiguousarray(images).data
        self._digest.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise InputError(f"{self._destination}: cannot be written: {error}") from error
        self._count += len(images)

    def finish(self, metadata: pd.DataFrame, *, rejected: pd.DataFrame | None = None) -> ImageStore:
        """Complete the files from one row of ``metadata`` per appended image, and open the store."""
        if self._count == 0 or len(metadata) != self._count:
            raise InputError(
                f"metadata must be as many rows as images, at least 1, got {len(metadata)} rows "
                f"for {self._count} images"
            )
        table = checked_columns(metadata).reset_index(drop=True)
        table.insert(0, "image_id", np.arange(self._count, dtype=np.int64))
        if rejected is None:
            rejected = pd.DataFrame({"path": [], "reason": []})
        try:
            self._write_header()
            self._file.close()
            table.to_parquet(self._folder / METADATA, index=False)
            rejected.to_csv(self._folder / REJECTED, index=False)
            text = json.dumps(self._final_manifest(len(rejected)), indent=1, sort_keys=True)
            (self._folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
            self._finished = True
            self._context.__exit__(None, None, None)
        except OSError as error:
            self._finished, self._failed = False, True
            raise InputError(f"{self._destination}: cannot be written: {error}") from error
        return ImageStore.open(self._destination)

    def _final_manifest(self, rejected: int) -> dict[str, Any]:
        return {
            "created_by": "create",
            "options": {},
            **self._manifest,
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "shape": [self._count, *self._image_shape],
            "dtype": "uint8",
            "counts": {"images": self._count, "rejected": rejected},
            "content_sha256": self._digest.hexdigest(),
            "metadata_sha256": sha256_file(self._folder / METADATA),
            "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {"python": platform.python_version(), **_package_versions()},
        }

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._finished:
            return
        self._file.close()
        cause = error or InputError(f"{self._destination}: the writer was left before finish()")
        self._context.__exit__(type(cause), cause, trace)
        if error is None and not self._failed:
            raise cause


def _package_versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a checkout on the path, not installed
            found[name] = "unknown"
    return found


def refuse_taken(destination: Path, *, fresh: bool) -> None:
    """InputError where ``destination`` is taken: by a file, by other files, or by a store without fresh."""
    if not destination.exists() and not destination.is_symlink():
        return
    if not destination.is_dir():
        raise InputError(f"{destination} must be a folder for the store, got a file")
    if destination.is_symlink():
        raise InputError(f"{destination} must be a folder for the store, got a symbolic link")
    if not any(destination.iterdir()):
        return
    if not (destination / MANIFEST).is_file() or not (destination / IMAGES).is_file():
        raise InputError(f"{destination}: an empty or new folder wanted, but it holds other files")
    if not fresh:
        raise InputError(f"{destination}: already a store; --fresh (fresh=True) replaces it")


def existing_store(
    destination: PathLike, *, created_by: str, options: Mapping[str, Any], fresh: bool
) -> ImageStore | None:
    """The store at ``destination`` where it was made by the same command with the same options.

    None where there is none yet, or ``fresh`` asks for a new one. InputError names the options that differ.
    """
    folder = Path(destination)
    if fresh or not (folder / MANIFEST).is_file():
        refuse_taken(folder, fresh=fresh)
        return None
    manifest = read_manifest(folder)
    if manifest.get("created_by") != created_by:
        raise InputError(
            f"{folder}: already a store, made by {manifest.get('created_by')!r}, not {created_by!r}; "
            "--fresh (fresh=True) replaces it"
        )
    made = manifest["options"]
    wanted = json.loads(json.dumps(dict(options)))
    names = [name for name in {**made, **wanted} if made.get(name) != wanted.get(name)]
    if names:
        differences = ", ".join(
            f"{name} {made.get(name)!r} there, {wanted.get(name)!r} now" for name in names
        )
        raise InputError(
            f"{folder}: already a store, made with other options: {differences}; "
            "--fresh (fresh=True) replaces it"
        )
    return ImageStore.open(folder)
