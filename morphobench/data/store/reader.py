"""ImageStore: images of one size as a memory map, their metadata, and how they were made."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from morphobench._util.files import open_regular, path_exists
from morphobench._util.hashing import sha256_file
from morphobench._util.json import plain
from morphobench.data.metadata import control_labels
from morphobench.data.store.format import (
    IMAGES,
    MANIFEST,
    METADATA,
    REJECTED,
    channels_are_last,
    data_offset,
    map_images,
    read_manifest,
    require_files,
)
from morphobench.data.store.writer import StoreWriter, refuse_taken
from morphobench.errors import CheckError, InputError
from morphobench.types import Int64Array, UInt8Array
from morphobench.types import Path as PathLike

_BATCH = 1024


@dataclass(frozen=True, repr=False)
class ImageStore:
    """One store, open for reading; made by ``ingest``, ``simulate`` or ``ImageStore.create``.

    Attributes:
        path: the folder.
        images: uint8 (N, C, H, W), a read-only memory map.
        metadata: N rows, indexed by ``image_id``.
        manifest: how it was made; ``manifest["content_sha256"]`` names the pixels.
    """

    path: Path
    images: UInt8Array
    metadata: pd.DataFrame
    manifest: dict[str, Any]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_ids(self) -> Int64Array:
        """int64 (N,): what the views of an image depend on; 0..N-1 in the order of creation."""
        return self.metadata.index.to_numpy(dtype=np.int64)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the C channels, such as DNA, ER; empty where the store has none."""
        return tuple(self.manifest.get("channel_names") or ())

    @cached_property
    def labels(self) -> Int64Array:
        """int64 (N,): 0 control (``negcon``), 1 drug. InputError where Metadata_ControlType does not say."""
        return control_labels(self.metadata, source=str(self.path))

    @cached_property
    def rejected(self) -> pd.DataFrame:
        """``path`` and ``reason`` of the inputs that did not go in."""
        with open_regular(self.path / REJECTED) as file:
            return pd.read_csv(file, dtype=str, keep_default_na=False)

    @classmethod
    def open(cls, path: PathLike) -> ImageStore:
        """Open a store.

        Checks the format version, the manifest, that all files are there with the sizes that the manifest
        states, and the metadata; not the pixels (``verify`` does).

        Args:
            path: its folder.

        Returns:
            The store.

        Raises:
            InputError: for what is wrong, with the file.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        require_files(folder)
        images = map_images(folder, manifest)
        return cls(folder, images, _read_metadata(folder, manifest, len(images)), manifest)

    @classmethod
    def create(
        cls,
        destination: PathLike,
        images: UInt8Array | Iterable[UInt8Array],
        metadata: pd.DataFrame,
        *,
        manifest: Mapping[str, Any] | None = None,
        rejected: pd.DataFrame | None = None,
        channel_names: Sequence[str] | None = None,
        fresh: bool = False,
    ) -> ImageStore:
        """Write an array of images as a store, whole or not at all.

        Args:
            destination: folder of the store.
            images: uint8 (N, C, H, W), or an iterable of such batches for data larger than memory.
            metadata: N rows; see docs/data.md for the columns.
            manifest: further keys for the manifest.
            rejected: ``path`` and ``reason`` of what did not go in.
            channel_names: names of the C channels.
            fresh: whether a store at ``destination`` is replaced.

        Returns:
            The store.

        Raises:
            InputError: for a shape or length that does not fit, or a destination that is taken.
            TypeError: for another dtype than uint8.

        Examples:
            >>> import numpy as np, pandas as pd, tempfile
            >>> table = pd.DataFrame({"plate": ["A", "A"], "compound": ["DMSO", "taxol"]})
            >>> pixels = np.zeros((2, 1, 64, 64), np.uint8)
            >>> len(ImageStore.create(tempfile.mkdtemp() + "/store", pixels, table))
            2
        """
        batches = iter(_batches(images))
        first = next(batches, None)
        if first is None:
            raise InputError("images must hold at least one image, got none")
        if channels_are_last(first.shape[1:]):
            raise InputError(
                f"images must have shape (N, C, H, W), got (N, {', '.join(map(str, first.shape[1:]))}), with "
                "channels last: numpy.moveaxis(images, -1, 1) puts them first"
            )
        keys = dict(manifest or {})
        if channel_names is not None:
            keys["channel_names"] = list(channel_names)
        with StoreWriter(destination, image_shape=first.shape[1:], manifest=keys, fresh=fresh) as writer:
            writer.append(first)
            for batch in batches:
                writer.append(batch)
            writer.finish(metadata, rejected=rejected)
        return cls.open(destination)

    @classmethod
    def from_arrays(
        cls,
        destination: PathLike,
        images: Iterable[Any],
        metadata: pd.DataFrame | Mapping[str, Sequence[Any]] | None = None,
        *,
        channel_names: Sequence[str] | None = None,
        fresh: bool = False,
        **prepared: Any,
    ) -> ImageStore:
        """Make a store of images in memory, or of any iterable of them; they are prepared as ``ingest`` does.

        Args:
            destination: folder of the store.
            images: uint8 or uint16 images (H, W) or (C, H, W): an array (N, H, W) or (N, C, H, W), or any
                iterable of arrays, torch tensors or PIL images, of any sizes.
            metadata: one row per image (default: none).
            channel_names: names of the C channels.
            fresh: whether a store at ``destination`` is replaced.
            **prepared: ``size_px``, ``channels``, ``fit`` and ``value_range``, as for ``ingest``.

        Returns:
            The store.

        Raises:
            InputError: for images of another kind, channels last among them, or a destination that is taken.
            TypeError: for another dtype.
        """
        from morphobench.data.ingest.arrays import write_arrays  # the packages import each other's modules

        write_arrays(destination, images, metadata, channel_names=channel_names, fresh=fresh, **prepared)
        return cls.open(destination)

    @classmethod
    def from_dataset(
        cls, destination: PathLike, dataset: Any, *, fresh: bool = False, **prepared: Any
    ) -> ImageStore:
        """Make a store of a data set of torchvision's or Hugging Face's kind.

        Args:
            destination: folder of the store.
            dataset: samples (image, class), or mappings with ``image`` and ``label``; PIL images, arrays or
                tensors.
            fresh: whether a store at ``destination`` is replaced.
            **prepared: ``size_px``, ``channels``, ``fit`` and ``value_range``, as for ``ingest``.

        Returns:
            The store; the class of a sample is its Metadata_Compound, and control-like names are controls.

        Raises:
            InputError: for samples of another kind.
        """
        from morphobench.data.ingest.arrays import write_dataset

        write_dataset(destination, dataset, fresh=fresh, **prepared)
        return cls.open(destination)

    def __repr__(self) -> str:
        channels, height, width = self.images.shape[1:]
        return f"ImageStore({str(self.path)!r}: {len(self):,} images, {channels} x {height} x {width})"

    def _repr_html_(self) -> str:
        counts = {
            "images": f"{len(self):,}",
            "channels": ", ".join(self.channel_names) or str(self.images.shape[1]),
            "size": f"{self.images.shape[2]} x {self.images.shape[3]} px",
            **{
                name.removeprefix("Metadata_"): f"{self.metadata[name].nunique():,}"
                for name in self.metadata
                if isinstance(name, str) and name.startswith("Metadata_")
            },
        }
        rows = "".join(
            f"<tr><th>{html.escape(key)}</th><td>{html.escape(text)}</td></tr>"
            for key, text in counts.items()
        )
        return f"<b>{html.escape(str(self.path))}</b><table>{rows}</table>"

    def verify(self) -> None:
        """Compare every file with its checksum in the manifest.

        Raises:
            CheckError: for a file that was changed or damaged since it was made.
            InputError: for a file that cannot be read.
        """
        manifest = read_manifest(self.path)
        checks = [
            (IMAGES, data_offset(self.path / IMAGES), "content_sha256"),
            (METADATA, 0, "metadata_sha256"),
        ]
        if "rejected_sha256" in manifest:
            checks.append((REJECTED, 0, "rejected_sha256"))
        for name, skip_bytes, key in checks:
            found = sha256_file(self.path / name, skip_bytes=skip_bytes)
            if found != manifest[key]:
                raise CheckError(
                    f"{self.path / name} must have SHA-256 {manifest[key]}, got {found}: it was changed or "
                    "damaged since the store was made"
                )


def _batches(images: UInt8Array | Iterable[UInt8Array]) -> Iterable[UInt8Array]:
    """Batches (B, C, H, W) of an array, or of an iterable of such batches."""
    arrays = [images] if isinstance(images, np.ndarray) or hasattr(images, "__array__") else images
    for each in arrays:
        array = np.asarray(each)
        if array.ndim != 4 or 0 in array.shape:
            raise InputError(f"images must have shape (N, C, H, W), none of them 0, got {array.shape}")
        if array.shape[-1] <= 4 < min(array.shape[1:3]):
            raise InputError(
                f"images must have shape (N, C, H, W), got {array.shape}, which has its channels last; "
                "numpy.moveaxis(images, -1, 1) puts them first"
            )
        for start in range(0, len(array), _BATCH):
            yield array[start : start + _BATCH]


def _read_metadata(folder: Path, manifest: Mapping[str, Any], images: int) -> pd.DataFrame:
    file = folder / METADATA
    if sha256_file(file) != manifest["metadata_sha256"]:
        raise InputError(f"{file} must match the checksum in {MANIFEST}, but it was changed or damaged")
    try:
        metadata = pd.read_parquet(file)
    except Exception as error:  # pyarrow raises its own kinds for damaged files
        raise InputError(f"{file} must be a Parquet table, got: {error}") from error
    if "image_id" not in metadata or len(metadata) != images:
        raise InputError(
            f"{file} must have a row with image_id for each of {images} images, "
            f"got {len(metadata)} rows of {', '.join(map(str, metadata.columns))}"
        )
    ids = metadata["image_id"]
    if (
        not pd.api.types.is_integer_dtype(ids)
        or ids.isna().any()
        or (ids < 0).any()
        or ids.duplicated().any()
    ):
        raise InputError(f"{file}: image_id must be different whole numbers from 0 on, got {_wrong_id(ids)}")
    return metadata.set_index("image_id")


def _wrong_id(ids: pd.Series) -> str:
    if not pd.api.types.is_integer_dtype(ids):
        return f"values of type {ids.dtype}"
    wrong = ids[ids.isna() | (ids < 0) | ids.duplicated()]
    return f"{wrong.iloc[0]} in row {wrong.index[0]}"


def existing_store(
    destination: PathLike, *, created_by: str, options: Mapping[str, Any], fresh: bool
) -> ImageStore | None:
    """Open the store at a place where it was made by the same command with the same options.

    Args:
        destination: folder of the store.
        created_by: the command.
        options: its options.
        fresh: whether a new store is made in any case.

    Returns:
        The store; None where there is none yet, or with ``fresh``.

    Raises:
        InputError: for a store made by another command or with other options, which are named.
    """
    folder = Path(destination)
    if fresh or not path_exists(folder / MANIFEST):
        refuse_taken(folder, fresh=fresh)
        return None
    manifest = read_manifest(folder)
    if manifest.get("created_by") != created_by:
        raise InputError(
            f"{folder} must be a new folder or a store made by {created_by}, got one made by "
            f"{manifest.get('created_by')!r}; --fresh (fresh=True) replaces it"
        )
    made, asked = manifest["options"], plain(dict(options))
    names = [name for name in {**made, **asked} if made.get(name) != asked.get(name)]
    if names:
        differences = ", ".join(_difference(name, made.get(name), asked.get(name)) for name in names)
        raise InputError(
            f"{folder} must be a new folder or a store made with the same options, got one made with others: "
            f"{differences}; --fresh (fresh=True) replaces it"
        )
    return ImageStore.open(folder)


def _difference(name: str, made: Any, asked: Any) -> str:
    if any(isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) for value in (made, asked)):
        return f"other {name.removesuffix('_sha256')}"  # a checksum tells nobody anything
    there, now = ("not given" if value is None else repr(value) for value in (made, asked))
    return f"{name} {there} there, {now} now"
