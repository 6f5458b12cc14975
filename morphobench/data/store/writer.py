"""Writer of stores: images are appended one batch at a time, so that data larger than memory go in."""

from __future__ import annotations

import contextlib
import hashlib
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

from morphobench._util.files import folder_in_place_of, reason_of, write_whole
from morphobench._util.hashing import sha256_file
from morphobench._util.json import plain, to_json
from morphobench._util.text import csv_table, first_of
from morphobench.data.metadata import checked_columns
from morphobench.data.store.format import (
    FILES,
    FORMAT,
    FORMAT_VERSION,
    IMAGES,
    MANIFEST,
    METADATA,
    REJECTED,
    foreign_files,
    manifest_digest,
)
from morphobench.errors import InputError
from morphobench.types import Path as PathLike
from morphobench.types import UInt8Array

_PACKAGES = ("morphobench", "numpy", "pandas", "pillow", "pyarrow", "tifffile")


class StoreWriter:
    """Writes a store; a context manager.

    ``finish`` makes the store appear; an exception, or leaving the block without it, leaves nothing behind.

    Args:
        destination: folder of the store.
        image_shape: (C, H, W) of every image.
        manifest: further keys of the manifest, such as ``created_by`` and ``options``.
        fresh: whether a store at ``destination`` is replaced.

    Attributes:
        manifest: further keys of the manifest; keys may be added until ``finish``.

    Raises:
        InputError: on entry, for a destination that is taken or cannot be written.
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
        self.manifest = dict(manifest)
        self._fresh = fresh
        self._count = 0
        self._digest = hashlib.sha256()
        self._finished = self._failed = False

    def __enter__(self) -> StoreWriter:
        refuse_taken(self._destination, fresh=self._fresh)
        self._context: AbstractContextManager[Path] = folder_in_place_of(
            self._destination, replace=FILES if self._fresh else ()
        )
        try:
            self._folder = self._context.__enter__()
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            self._file: IO[bytes] = (self._folder / IMAGES).open("wb")
            self._write_header()
        except OSError as error:
            self._context.__exit__(type(error), error, error.__traceback__)
            raise self._not_writable(error) from error
        return self

    def _not_writable(self, error: OSError) -> InputError:
        return InputError(f"{self._destination} must be writable, got: {reason_of(error)}")

    def _write_header(self) -> None:
        # numpy leaves room in the header for a longer N, so it can be written again when N is known.
        header = {"descr": "|u1", "fortran_order": False, "shape": (self._count, *self._image_shape)}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, images: UInt8Array) -> None:
        """Append images.

        Args:
            images: uint8 (B, C, H, W).

        Raises:
            InputError: for another shape, or where the disk refuses.
            TypeError: for another dtype.
        """
        if images.dtype != np.uint8:
            raise TypeError(f"images must have dtype uint8, got {images.dtype}")
        if images.ndim != 4 or images.shape[1:] != self._image_shape:
            raise InputError(f"images must have shape (B, *{self._image_shape}), got {images.shape}")
        data = np.ascontiguousarray(images).data
        self._digest.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise self._not_writable(error) from error
        self._count += len(images)

    def finish(self, metadata: pd.DataFrame, *, rejected: pd.DataFrame | None = None) -> None:
        """Complete the files and let the store appear.

        Args:
            metadata: one row per appended image.
            rejected: ``path`` and ``reason`` of what did not go in (default: nothing).

        Raises:
            InputError: for another number of rows, values that do not fit, or where the disk refuses.
        """
        if self._count == 0 or len(metadata) != self._count:
            raise InputError(
                f"metadata must have as many rows as there are images, at least 1, got {len(metadata)} rows "
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
            (self._folder / REJECTED).write_text(csv_table(rejected), encoding="utf-8")
            text = to_json(self._final_manifest(len(rejected)), indent=1, sort_keys=True)
            write_whole(self._folder / MANIFEST, text + "\n")
            self._finished = True
            self._context.__exit__(None, None, None)
        except OSError as error:
            self._finished, self._failed = False, True
            raise self._not_writable(error) from error

    def _final_manifest(self, rejected: int) -> dict[str, Any]:
        manifest: dict[str, Any] = plain(
            {
                "created_by": "create",
                "options": {},
                **self.manifest,
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "shape": [self._count, *self._image_shape],
                "dtype": "uint8",
                "counts": {"images": self._count, "rejected": rejected},
                "content_sha256": self._digest.hexdigest(),
                "metadata_sha256": sha256_file(self._folder / METADATA),
                "rejected_sha256": sha256_file(self._folder / REJECTED),
                "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
                "versions": {"python": platform.python_version(), **_package_versions()},
            }
        )
        return {**manifest, "manifest_sha256": manifest_digest(manifest)}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._finished:
            return
        with contextlib.suppress(OSError):  # a full disk refuses what is left in the buffer once more
            self._file.close()
        cause = error or InputError(f"{self._destination} must be completed by finish(), got none")
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
    """Check that a store may be written at a place.

    Args:
        destination: folder of the store.
        fresh: whether a store there may be replaced; other files never are.

    Raises:
        InputError: where the place is taken by a file, a link, other files, or a store without ``fresh``.
    """
    try:
        destination.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise InputError(f"{destination} must be a place for a folder, got: {reason_of(error)}") from error
    if not destination.is_dir():
        raise InputError(f"{destination} must be a folder for the store, got a file")
    if destination.is_symlink():
        raise InputError(f"{destination} must be a folder for the store, got a symbolic link")
    if foreign := foreign_files(destination):
        raise InputError(
            f"{destination} must be a new or empty folder, or a store alone in its folder, "
            f"but it holds other files: {first_of(foreign)}"
        )
    if any(destination.iterdir()) and not fresh:
        raise InputError(f"{destination} must be a new or empty folder, got a store; --fresh replaces it")
