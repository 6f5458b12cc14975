"""Embeddings: computed by an encoder, and stored with metadata and provenance in Parquet or AnnData."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn

from morphobench import __version__, types
from morphobench._util.arrays import empty_array, row_blocks, rows_not_finite
from morphobench._util.extras import load_extra
from morphobench._util.files import file_in_place_of
from morphobench._util.json import parse_json
from morphobench.data.store.format import channels_are_last
from morphobench.errors import CheckError, InputError
from morphobench.models.batch_norm_cnn import with_statistics_of
from morphobench.models.preprocessing import float_batches, map_images
from morphobench.types import Float32Array, Int64Array, UInt8Array

if TYPE_CHECKING:
    from morphobench.training.data.images import ImageArray

FEATURE_PREFIX = "emb_"
PROVENANCE_KEY = "morphobench"
_CPU_BATCH, _DEVICE_BATCH = 128, 1024
_ROWS_READ = 4096


def embed(
    encoder: nn.Module,
    images: UInt8Array | ImageArray,
    *,
    device: str = "cpu",
    batch_size: int | None = None,
    folder: types.Path | None = None,
) -> Float32Array:
    """Compute the embedding of each image.

    Images are divided by 255 and passed through the encoder in evaluation mode, without gradients.

    Args:
        encoder: Module from float32 (B, C, H, W) to (B, ...), flattened to (B, D). It is moved to ``device``;
            its mode afterwards is that before.
        images: uint8 (N, C, H, W), an array or a memory map.
        device: Torch device.
        batch_size: Images at a time; None: 1,024 on an accelerator, else the encoder's attribute
            ``embed_batch_size``, or 128 without it. It changes the result by rounding at most.
        folder: Where embeddings larger than 256 MB lie while they are in use, as a file without a name; None:
            in memory.

    Returns:
        float32 (N, D).

    Raises:
        InputError: Another shape, channels last among them, or a batch size below 1.
        TypeError: Another dtype; nothing is converted silently.
    """
    if images.dtype != np.uint8:
        raise TypeError(f"images must be uint8, got {images.dtype}")
    if len(images.shape) != 4:
        raise InputError(f"images must have shape (N, C, H, W), got {tuple(images.shape)}")
    if channels_are_last(images.shape[1:]):
        raise InputError(
            f"images must have shape (N, C, H, W), got {tuple(images.shape)}, which has its channels last: "
            "numpy.moveaxis(images, -1, 1) puts them first"
        )
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    target = torch.device(device)
    on_cpu: int = getattr(encoder, "embed_batch_size", _CPU_BATCH)
    size = batch_size or (on_cpu if target.type == "cpu" else _DEVICE_BATCH)
    training = encoder.training
    encoder.to(target).eval()
    try:
        if images.shape[0] == 0:
            with torch.inference_mode():
                features = encoder(torch.zeros((1, *images.shape[1:]), device=target)).flatten(1)
            return np.empty((0, features.shape[1]), np.float32)
        return map_images(
            lambda pixels: encoder(pixels).flatten(1),
            images,
            batch_size=size,
            device=target,
            folder=None if folder is None else Path(folder),
        )
    finally:
        encoder.train(training)


def embed_by_group(
    encoder: nn.Module,
    images: UInt8Array | ImageArray,
    groups: Int64Array,
    *,
    device: str = "cpu",
    folder: types.Path | None = None,
) -> Float32Array:
    """Embed with the BatchNorm statistics of each group's own images, such as those of a plate.

    Brightness and contrast of a group's images then no longer tell it from other groups.

    Args:
        encoder: Network with BatchNorm layers; left as it is but for its device.
        images: Uint8 (N, C, H, W).
        groups: Number of each image's group, int64 (N,).
        device: Where the encoder computes.
        folder: As of `embed`.

    Returns:
        Embeddings, float32 (N, D).
    """
    encoder.to(device)
    result: Float32Array | None = None
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        own = np.asarray(images[rows])
        found = embed(with_statistics_of(encoder, float_batches(own, device=device)), own, device=device)
        if result is None:
            place = None if folder is None else Path(folder)
            result = empty_array((len(groups), found.shape[1]), folder=place)
        result[rows] = found
    if result is None:
        raise InputError("images must hold at least one image, got none")
    return result


def write_embeddings(
    path: types.Path,
    embeddings: Float32Array,
    metadata: pd.DataFrame,
    *,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write embeddings and metadata to Parquet, or to AnnData where ``path`` ends in ``.h5ad``.

    Columns: those of the metadata in their order, then ``emb_0000``, ``emb_0001`` ... (float32); no index
    column. The file appears whole or not at all.

    Args:
        path: The file to write.
        embeddings: float32 (N, D).
        metadata: N rows of ``Metadata_`` columns.
        provenance: JSON-able facts (protocol, hashes of weights and data, ...) for the file's key-value
            metadata under ``morphobench`` (AnnData: ``uns``); versions of morphobench, torch and numpy are
            added.

    Raises:
        InputError: Embeddings that are not (N, D), metadata columns without the prefix, or AnnData without
            the extra ``anndata``.
        CheckError: Embeddings that are not finite.
        TypeError: Embeddings that are not float32.
    """
    path = Path(path)
    _check(embeddings, metadata)
    origin = json.dumps({**_versions(), **(provenance or {})}, sort_keys=True, default=str)
    with file_in_place_of(path) as temporary:
        if path.suffix == ".h5ad":
            _write_anndata(temporary, embeddings, metadata, origin)
        else:
            _write_parquet(temporary, embeddings, metadata, origin)


def read_embeddings(path: types.Path) -> tuple[Float32Array, pd.DataFrame, dict[str, Any]]:
    """Read a Parquet, CSV or ``.h5ad`` file of embeddings, ours or another program's.

    Where no column is named ``emb_...``, every numeric column without the prefix ``Metadata_`` is a feature;
    all other columns are metadata.

    Args:
        path: The file.

    Returns:
        Embeddings float32 (N, D), metadata (N rows), and provenance, empty where the file has none.

    Raises:
        InputError: The file is absent, unreadable or holds no feature.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} must be a file of embeddings, got none there")
    try:
        if path.suffix == ".h5ad":
            return _read_anndata(path)
        if path.suffix == ".csv":
            frame = pd.read_csv(path)
            features = _feature_columns(path, frame)
            return _numbers(frame[features]), frame[_other_columns(frame.columns, features)], {}
        return _read_parquet(path)
    except InputError:
        raise
    except Exception as error:  # of three libraries, each with exceptions of its own
        told = str(error)[:500] or type(error).__name__
        raise InputError(f"{path} must be Parquet, CSV or .h5ad, got an unreadable file ({told})") from error


def read_metadata(path: types.Path) -> pd.DataFrame:
    """Read the ``Metadata_*`` columns of one of our Parquet files, without its features.

    Args:
        path: The file.

    Returns:
        One row per embedding.

    Raises:
        InputError: The file is absent or unreadable.
    """
    try:
        names = [name for name in pq.read_schema(path).names if name.startswith("Metadata_")]
        table: pd.DataFrame = pq.read_table(path, columns=names).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} must be a file of embeddings, got: {error}") from error
    return table


def _feature_columns(path: Path, frame: pd.DataFrame) -> list[str]:
    """Names of the features among a table's columns, of which the types count."""
    if not frame.columns.is_unique:
        twice = ", ".join(map(str, frame.columns[frame.columns.duplicated()][:3]))
        raise InputError(f"{path} must have columns of different names, got {twice} twice")
    features = _features(frame[[name for name in frame.columns if not _is_index(name)]])
    if not features:
        found = ", ".join(map(str, frame.columns)) or "none"
        raise InputError(f"{path} must have numeric feature columns, got only the columns {found}")
    return features


def _is_index(name: object) -> bool:
    """Whether a column is an unnamed index that pandas wrote, which is no feature."""
    return str(name).startswith(("__index_level_", "Unnamed: "))


def _other_columns(names: Iterable[Any], features: list[str]) -> list[Any]:
    left_out = set(features)
    return [name for name in names if name not in left_out and not _is_index(name)]


def _numbers(frame: pd.DataFrame) -> Float32Array:
    with np.errstate(over="ignore"):  # infinite then, which no task takes
        return np.ascontiguousarray(frame.to_numpy(np.float32, na_value=np.nan))


def _read_parquet(path: Path) -> tuple[Float32Array, pd.DataFrame, dict[str, Any]]:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        nested = [one.name for one in schema if pa.types.is_nested(one.type)]
        if nested:
            raise InputError(f"{path} must have columns of numbers or text, got lists in {nested[0]}")
        origin = _provenance((schema.metadata or {}).get(PROVENANCE_KEY.encode()))
        features = _feature_columns(path, schema.empty_table().to_pandas(ignore_metadata=True))
        folder = path.parent if os.access(path.parent, os.W_OK) else Path(tempfile.gettempdir())
        values = empty_array((rows, len(features)), folder=folder)
        others = _other_columns(schema.names, features)
        described, start = [], 0
        for batch in file.iter_batches(batch_size=_ROWS_READ):
            frame = batch.select(features).to_pandas(ignore_metadata=True)
            values[start : start + len(frame)] = _numbers(frame)
            described.append(batch.select(others))
            start += len(frame)
    if not others:
        return values, pd.DataFrame(index=pd.RangeIndex(rows)), origin
    # Joined before pandas sees it, so that a column with gaps in some blocks only has one type.
    table = pa.Table.from_batches(described, pa.schema([schema.field(name) for name in others]))
    return values, table.to_pandas(ignore_metadata=True), origin


def _write_parquet(path: Path, embeddings: Float32Array, metadata: pd.DataFrame, origin: str) -> None:
    """Write block by block, each a row group: the embeddings may be a map of more than fits into memory."""
    labels = pa.Table.from_pandas(metadata, preserve_index=False)
    fields = [*labels.schema, *(pa.field(name, pa.float32()) for name in _names(embeddings.shape[1]))]
    schema = pa.schema(fields, metadata={PROVENANCE_KEY: origin})
    with pq.ParquetWriter(path, schema, use_dictionary=list(metadata.columns)) as writer:
        for rows in row_blocks(embeddings.shape):
            columns = np.ascontiguousarray(embeddings[rows].T)
            described = labels.slice(rows.start, rows.stop - rows.start).columns
            writer.write_table(pa.Table.from_arrays([*described, *map(pa.array, columns)], schema=schema))


def _features(frame: pd.DataFrame) -> list[str]:
    free = [
        str(name)
        for name in frame.columns
        if not str(name).startswith("Metadata_")
        and pd.api.types.is_numeric_dtype(frame[name])
        and not pd.api.types.is_bool_dtype(frame[name])
        and not pd.api.types.is_complex_dtype(frame[name])
    ]
    return [name for name in free if name.startswith(FEATURE_PREFIX)] or free


def _names(features: int) -> list[str]:
    return [f"{FEATURE_PREFIX}{index:04d}" for index in range(features)]


def _check(embeddings: Float32Array, metadata: pd.DataFrame) -> None:
    if embeddings.dtype != np.float32:
        raise TypeError(f"embeddings must be float32, got {embeddings.dtype}")
    if embeddings.ndim != 2 or len(embeddings) != len(metadata):
        raise InputError(
            f"embeddings must have shape ({len(metadata)}, D), one per metadata row, got {embeddings.shape}"
        )
    bad = rows_not_finite(embeddings)
    if len(bad):
        raise CheckError(
            f"embeddings must be finite, got NaN or infinity for {len(bad)} of {len(embeddings)} images"
        )
    others = [str(name) for name in metadata.columns if not str(name).startswith("Metadata_")]
    if others:
        raise InputError(f"metadata must have only columns named Metadata_..., got {', '.join(others)}")


def _versions() -> dict[str, str]:
    return {
        "format": "morphobench-embeddings-1",
        "morphobench_version": str(__version__),
        "torch_version": str(torch.__version__),
        "numpy_version": np.__version__,
    }


def _provenance(stored: bytes | str | None) -> dict[str, Any]:
    if not stored:
        return {}
    loaded = parse_json(stored, source="the provenance")
    if not isinstance(loaded, dict):
        raise ValueError(f"its provenance must be a JSON object, got {type(loaded).__name__}")
    return loaded


def _write_anndata(path: Path, embeddings: Float32Array, metadata: pd.DataFrame, origin: str) -> None:
    # Plain object strings: older anndata cannot read pandas 3's string columns.
    names = pd.Index(_names(embeddings.shape[1]), dtype=object)
    rows = metadata.set_axis(pd.Index([str(row) for row in range(len(metadata))], dtype=object), axis=0)
    for name in rows.columns:
        if not pd.api.types.is_numeric_dtype(rows[name]):
            values = rows[name].astype(object)
            kinds = pd.Index(sorted(values.dropna().unique(), key=str), dtype=object)
            rows[name] = pd.Categorical(values, categories=kinds)
    table = load_extra("anndata", extra="anndata").AnnData(
        X=embeddings, obs=rows, var=pd.DataFrame(index=names)
    )
    table.uns[PROVENANCE_KEY] = origin
    # The same, to be read without knowing of JSON; .h5ad has no null and no nested lists.
    table.uns["provenance"] = {
        name: value if isinstance(value, str | int | float) else json.dumps(value)
        for name, value in json.loads(origin).items()
    }
    # The temporary file is locked, which tells others that it is in use: HDF5 must not lock it again.
    with load_extra("h5py", extra="anndata").File(path, "w", locking=False) as file:
        load_extra("anndata.io", extra="anndata").write_elem(file, "/", table)


def _read_anndata(path: Path) -> tuple[Float32Array, pd.DataFrame, dict[str, Any]]:
    table = load_extra("anndata", extra="anndata").read_h5ad(path)
    values = table.X.toarray() if hasattr(table.X, "toarray") else table.X
    metadata = table.obs.reset_index(drop=True)
    for name in metadata.columns:
        if isinstance(metadata[name].dtype, pd.CategoricalDtype):
            metadata[name] = metadata[name].astype(object).infer_objects()
    return np.ascontiguousarray(values, np.float32), metadata, _provenance(table.uns.get(PROVENANCE_KEY))
