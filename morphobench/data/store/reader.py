"""ImageStore: images of one size as a memory map, their metadata, and a manifest that says how it was made.

A store is a folder of four files:

``images.npy``        uint8 (N, C, H, W), in C order, readable with ``numpy.load(..., mmap_mode="r")``
``metadata.parquet``  N rows in the same order: ``image_id`` and the ``Metadata_`` columns
``manifest.json``     format and version, checksums, counts, creation command and options, package versions
``rejected.csv``      ``path`` and ``reason`` of every input that did not go in (often only the heading)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from morphobench._util.hashing import sha256_file
from morphobench.data.metadata import control_labels
from morphobench.errors import CheckError, InputError
from morphobench.types import Int64Array, UInt8Array
from morphobench.types import Path as PathLike

FORMAT = "morphobench-store"
FORMAT_VERSION = 1
IMAGES, METADATA, MANIFEST, REJECTED = "images.npy", "metadata.parquet", "manifest.json", "rejected.csv"


@dataclass(frozen=True)
class ImageStore:
    """One store, open for reading. Make one with ``ingest``, ``simulate`` or ``ImageStore.create``.

    ``images``: uint8 (N, C, H, W), a read-only memory map. ``metadata``: N rows, indexed by ``image_id``.
    ``path``: the folder. ``manifest``: how it was made; ``manifest["content_sha256"]`` names the pixels.
    """

    path: Path
    images: UInt8Array
    metadata: pd.DataFrame
    manifest: dict[str, Any]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_ids(self) -> Int64Array:
        """int64 (N,): what names an image in every draw of views; 0..N-1 in the order of creation."""
        return self.metadata.index.to_numpy(dtype=np.int64)

    @cached_property
    def labels(self) -> Int64Array:
        """int64 (N,): 0 control (``negcon``), 1 drug. InputError where Metadata_ControlType does not say."""
        return control_labels(self.metadata, source=str(self.path))

    @cached_property
    def rejected(self) -> pd.DataFrame:
        """``path`` and ``reason`` of the inputs that did not go in."""
        return pd.read_csv(self.path / REJECTED, dtype=str, keep_default_na=False)

    @classmethod
    def open(cls, path: PathLike) -> ImageStore:
        """Open the store in folder ``path``.

        Checks the format version, that all files are there with the sizes the manifest states, and the
        metadata's checksum; not the pixels' (``verify`` does). InputError names what is wrong.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        for name in (IMAGES, METADATA, REJECTED):
            if not (folder / name).is_file():
                raise InputError(f"{folder}: a store with {name} wanted, but it has none")
        images = _map_images(folder, manifest)
        if sha256_file(folder / METADATA) != manifest["metadata_sha256"]:
            raise InputError(f"{folder / METADATA}: differs from the manifest's checksum; changed or damaged")
        metadata = pd.read_parquet(folder / METADATA)
        if "image_id" not in metadata or len(metadata) != len(images):
            raise InputError(
                f"{folder / METADATA}: a row with image_id for each of {len(images)} images wanted, "
                f"got {len(metadata)} rows of {', '.join(map(str, metadata.columns))}"
            )
        return cls(folder, images, metadata.set_index("image_id"), manifest)

    @classmethod
    def create(
        cls,
        destination: PathLike,
        images: UInt8Array,
        metadata: pd.DataFrame,
        *,
        manifest: Mapping[str, Any] | None = None,
        rejected: pd.DataFrame | None = None,
        fresh: bool = False,
    ) -> ImageStore:
        """Write ``images`` uint8 (N, C, H, W) and N rows of ``metadata`` as a store, whole or not at all.

        ``manifest``: further keys for the manifest (say ``options``). ``fresh`` replaces an existing store.
        InputError for a shape or length that does not fit or an existing destination, TypeError unless uint8.
        """
        from morphobench.data.store.writer import StoreWriter

        images = np.asarray(images)
        if images.ndim != 4 or 0 in images.shape:
            raise InputError(f"images must have shape (N, C, H, W), none of them 0, got {images.shape}")
        with StoreWriter(
            destination, image_shape=images.shape[1:], manifest=manifest or {}, fresh=fresh
        ) as writer:
            for start in range(0, len(images), 1024):
                writer.append(images[start : start + 1024])
            return writer.finish(metadata, rejected=rejected)

    def verify(self) -> None:
        """Read every pixel and compare with the manifest's checksum; CheckError where they differ."""
        found = sha256_file(self.path / IMAGES, skip_bytes=_data_offset(self.path / IMAGES))
        if found != self.manifest["content_sha256"]:
            raise CheckError(
                f"{self.path / IMAGES} must be SHA-256 {self.manifest['content_sha256']}, got {found}: "
                "changed or damaged since it was made"
            )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the store in ``folder``; InputError where there is none of this format and version."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        state = f"has no {MANIFEST}" if folder.is_dir() else "does not exist" * (not folder.exists())
        raise InputError(f"{folder}: an image store wanted, but it {state or 'is no folder'}") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{folder / MANIFEST} must be a readable JSON manifest, got: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{folder / MANIFEST} must be the manifest of a {FORMAT}, got another JSON file")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{folder} must be store format version {FORMAT_VERSION}, got {manifest.get('format_version')}; "
            "make the store again with this version of morphobench"
        )
    missing = {"shape", "content_sha256", "metadata_sha256", "options"} - manifest.keys()
    if missing:
        raise InputError(f"{folder / MANIFEST}: without {', '.join(sorted(missing))}; damaged")
    return cast("dict[str, Any]", manifest)


def _map_images(folder: Path, manifest: Mapping[str, Any]) -> UInt8Array:
    file = folder / IMAGES
    try:
        images = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{file} must be a whole .npy array, got: {error}") from error
    shape = tuple(manifest["shape"])
    if images.dtype != np.uint8 or images.shape != shape:
        raise InputError(f"{file} must be uint8 {shape}, got {images.dtype} {images.shape}")
    wanted_bytes = _data_offset(file) + images.nbytes
    if file.stat().st_size != wanted_bytes:
        raise InputError(f"{file} must be {wanted_bytes} bytes, got {file.stat().st_size}")
    return cast("UInt8Array", images)


def _data_offset(file: Path) -> int:
    """Where the pixels start in a .npy file: after the magic string and the header."""
    with file.open("rb") as opened:
        version = np.lib.format.read_magic(opened)
        if version == (1, 0):
            np.lib.format.read_array_header_1_0(opened)
        else:
            np.lib.format.read_array_header_2_0(opened)
        return opened.tell()
