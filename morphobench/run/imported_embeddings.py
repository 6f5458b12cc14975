"""Other people's embeddings in a run's tables: on the same images and splits, under the same protocol."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from morphobench._util.hashing import sha256_file
from morphobench._util.typed import to_json_types
from morphobench.data import split
from morphobench.data.metadata import well_name
from morphobench.embeddings import read_embeddings, read_metadata
from morphobench.errors import InputError
from morphobench.evaluation import EvaluationInput
from morphobench.run.environment import environment
from morphobench.run.evaluate import evaluated
from morphobench.run.folder import RESULTS, SetupFiles, refuse_links
from morphobench.run.lock import locked
from morphobench.run.prepare import read_options
from morphobench.run.record import (
    SCHEMA_VERSION,
    Record,
    SplitInfo,
    append_record,
    read_records,
    write_records,
)
from morphobench.types import Float32Array, Int64Array

PREFIX = "external/"
KEYS = (
    ("Metadata_ImageId",),
    ("Metadata_Path", "Metadata_Tile"),
    ("Metadata_Path",),
    ("Metadata_Plate", "Metadata_Well", "Metadata_Site"),
    ("Metadata_Plate", "Metadata_Well"),
)
"""Columns that may say which image a row is of; the first that both have, each row once, are taken."""

_SHOWN = 3


@dataclass(frozen=True)
class _Matched:
    """Embeddings (N, D) with the metadata that they are evaluated with; ``same``: the run's very images."""

    embeddings: Float32Array
    metadata: pd.DataFrame
    split: SplitInfo
    same: bool
    warnings: tuple[str, ...]


def add_external(
    path: Path, out: Path, *, name: str | None = None, other_images: bool = False, fresh: bool = False
) -> list[Record]:
    """Evaluate embeddings as a run does, once per seed, and add them to its records.

    Rows are matched with the run's images by the first of `KEYS` that both have. The run's metadata and split
    count; the file's columns only name rows. Images that the run does not have are left out, with a warning.

    Args:
        path: The file of embeddings.
        out: Folder of the run.
        name: The setup becomes ``external/NAME``; None: the file's name.
        other_images: Where rows cannot be matched, take them as they are: each in the part of the split that
            its plate (or well) is in, or in a split made anew where the run does not know these. Always with
            a warning.
        fresh: Whether to replace records of another file under that name.

    Returns:
        The records, by seed.

    Raises:
        InputError: The folder is no run; the file cannot be matched or lacks images of the run (some are
            named); or another file has that name.
    """
    path, out = Path(path), Path(out)
    options = read_options(out)
    execution = options.execution
    setup = f"{PREFIX}{path.stem if name is None else name}"
    if "/" in setup.removeprefix(PREFIX) or setup == PREFIX:
        raise InputError(f"--name must be a name without a slash, got {name!r}")
    digest = sha256_file(path)
    embeddings, described, provenance = read_embeddings(path)
    refuse_links(out)
    with locked(out):
        records = read_records(out)
        there = [record for record in records if record.setup == setup]
        if any(record.file is None or record.file.sha256 != digest for record in there):
            if not fresh:
                raise InputError(
                    f"{out}: {setup} was made from another file; take another --name, or --fresh"
                )
            write_records(out / RESULTS, [record for record in records if record.setup != setup])
            there = []
        made = {record.seed: record for record in there}
        for seed, sibling in sorted(_siblings(records).items()):
            if seed in made:
                continue
            matched = _matched(
                embeddings, described, _run_metadata(out, sibling), seed, sibling, other_images
            )
            started = time.perf_counter()
            inputs = EvaluationInput(
                matched.embeddings,
                matched.metadata,
                options.evaluation,
                protocol=options.protocol,
                seed=seed,
                device=execution.device,
            )
            found = evaluated(inputs, options.evaluation.tasks, SetupFiles.of(out, setup, seed).tables)
            record = {
                "schema_version": SCHEMA_VERSION,
                "setup": setup,
                "kind": "external",
                "protocol": options.protocol,
                "seed": seed,
                "features": embeddings.shape[1],
                "preset": options.profile,
                "profile": options.describe(),
                "notes": options.notes(),
                "data": to_json_types(sibling.data),
                "split": to_json_types(matched.split),
                "same_images": matched.same,
                "file": {"name": path.name, "sha256": digest, "provenance": provenance},
                "warnings": [*matched.warnings, *_other_protocol(provenance, options.protocol)],
                **found,
                "evaluation_s": time.perf_counter() - started,
                "environment": environment(device=execution.device, threads=execution.threads),
            }
            made[seed] = append_record(out / RESULTS, record)
    return [made[seed] for seed in sorted(made)]


def _siblings(records: Sequence[Record]) -> dict[int, Record]:
    """A record of the run itself for each seed."""
    found: dict[int, Record] = {}
    for record in records:
        if not record.is_external:
            found.setdefault(record.seed, record)
    if not found:
        raise InputError("OUT must hold a run with at least one setup or baseline done, got none")
    return found


def _run_metadata(out: Path, sibling: Record) -> pd.DataFrame:
    """The metadata of the run's images with their split, as all files of embeddings of a seed hold it."""
    return read_metadata(SetupFiles.of(out, sibling.setup, sibling.seed).embeddings)


def _matched(
    embeddings: Float32Array,
    described: pd.DataFrame,
    images: pd.DataFrame,
    seed: int,
    sibling: Record,
    other_images: bool,
) -> _Matched:
    if "path" in described and "Metadata_Path" not in described:
        described = described.rename(columns={"path": "Metadata_Path"})
    try:
        key, rows, warnings = _rows_of_images(described, images)
    except InputError:
        if not other_images:
            raise
        return _as_they_are(embeddings, described, images, seed)
    differing = [
        f"{name} of {count} images"
        for name in described
        if name in images
        and name not in key
        and name != "Metadata_Split"
        and (count := _differences(described[name].iloc[rows], images[name]))
    ]
    if differing:
        warnings += (f"the file says otherwise than the run, whose word counts: {', '.join(differing)}",)
    return _Matched(embeddings[rows], images, sibling.split, True, warnings)


def _rows_of_images(
    described: pd.DataFrame, images: pd.DataFrame
) -> tuple[tuple[str, ...], Int64Array, tuple[str, ...]]:
    """The columns that match, for each image of the run the file's row, and what to know about it."""
    common = [key for key in KEYS if all(name in described and name in images for name in key)]
    key = next(
        (key for key in common if not (_texts(images, key).has_duplicates)),
        None,
    )
    if key is None:
        known = " or ".join(
            " + ".join(key)
            for key in KEYS
            if all(name in images for name in key) and not _texts(images, key).has_duplicates
        )
        shared = f"; several images share {' + '.join(common[-1])}" if common else ""
        raise InputError(
            f"columns must name each image of the run once (by {known or 'none that the run has'}), "
            f"got {', '.join(map(str, described.columns)) or 'none'}{shared}; --other-images takes rows, "
            "such as profiles of wells, as they are"
        )
    theirs, ours = _texts(described, key), _texts(images, key)
    if theirs.has_duplicates:
        twice = theirs[theirs.duplicated()].unique()
        raise InputError(
            f"each image must stand in the file once, got {len(twice)} several times by {' + '.join(key)}, "
            f"such as {_some(twice)}"
        )
    rows = theirs.get_indexer(ours)
    absent = ours[rows < 0]
    if len(absent):
        raise InputError(
            f"all {len(ours)} images of the run must be there, got {len(ours) - len(absent)} of them by "
            f"{' + '.join(key)}; it lacks {_some(absent)}"
        )
    further = len(theirs) - len(ours)
    warnings = (f"{further} rows of images that the run does not have were left out",) if further else ()
    return key, np.asarray(rows, dtype=np.int64), warnings


def _as_they_are(
    embeddings: Float32Array, described: pd.DataFrame, images: pd.DataFrame, seed: int
) -> _Matched:
    warning = "other images than the run's: not comparable image by image"
    for key in (("Metadata_Plate",), ("Metadata_Plate", "Metadata_Well")):
        if not all(name in described and name in images for name in key):
            continue
        known = pd.Series(images["Metadata_Split"].to_numpy(), index=_texts(images, key))
        parts = known[~known.index.duplicated()]
        whole = known.groupby(level=0).nunique().max() == 1
        theirs = _texts(described, key)
        if whole and theirs.isin(parts.index).all():
            unit = key[-1].removeprefix("Metadata_").lower()
            found = np.asarray(parts.loc[theirs], dtype=object)
            told = f"{warning}; each row in the part of its {unit}"
            return _other(embeddings, described, found, unit, (told,))
    made = split(described.drop(columns="Metadata_Split", errors="ignore"), seed=seed)
    told = f"{warning}, and on a split made anew by {made.grouped_by}"
    labels = np.asarray(made.labels, dtype=object)
    return _other(embeddings, described, labels, made.grouped_by, (told, *made.warnings))


def _other(
    embeddings: Float32Array, described: pd.DataFrame, parts: Any, unit: str, warnings: tuple[str, ...]
) -> _Matched:
    counts = {part: int((parts == part).sum()) for part in ("train", "validation", "test")}
    made = SplitInfo(images=counts, grouped_by=unit)
    return _Matched(embeddings, described.assign(Metadata_Split=parts), made, False, warnings)


def _texts(table: pd.DataFrame, key: tuple[str, ...]) -> pd.Index:
    """The columns of ``key`` as one text a row; whole numbers read as such, whatever type the file gave."""
    parts = []
    for name in key:
        column = table[name]
        if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
            column = column.astype("Int64")
        part = column.astype(object).where(column.notna(), "").astype(str)
        parts.append(part.map(well_name) if name == "Metadata_Well" else part)  # A1 and A01 are one well
    text = parts[0]
    for part in parts[1:]:
        text = text + "\t" + part
    found: pd.Index[str] = pd.Index(text.to_numpy(dtype=object))
    return found


def _differences(theirs: pd.Series[Any], ours: pd.Series[Any]) -> int:
    if pd.api.types.is_numeric_dtype(theirs) and pd.api.types.is_numeric_dtype(ours):
        a, b = theirs.to_numpy(np.float64), ours.to_numpy(np.float64)
        return int((~np.isclose(a, b, equal_nan=True)).sum())
    texts = [side.astype(object).where(side.notna(), "").astype(str).to_numpy() for side in (theirs, ours)]
    return int((texts[0] != texts[1]).sum())


def _some(names: pd.Index) -> str:
    shown = ", ".join(str(name).replace("\t", " ") for name in names[:_SHOWN])
    return f"{shown}{', ...' if len(names) > _SHOWN else ''}"


def _other_protocol(provenance: Mapping[str, Any], protocol: str) -> list[str]:
    made_under = provenance.get("protocol")
    return [] if made_under in (None, protocol) else [f"made under {made_under}, evaluated under {protocol}"]
