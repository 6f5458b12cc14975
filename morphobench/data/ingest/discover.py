"""Lists the images of a source and what is known of each: from a table, from folders, from file names."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from morphobench.data.ingest.decode import EXTENSIONS, OTHER_IMAGE_EXTENSIONS
from morphobench.data.metadata import (
    COLUMNS,
    NEGCON,
    PREFIX,
    TRT,
    checked_columns,
    column_name,
    control_types,
    is_class_name,
    is_control_name,
)
from morphobench.errors import InputError
from morphobench.types import Path as PathLike

STUDY = "study"
_STUDY_FIELDS = {0: "Metadata_CellLine", 2: "Metadata_Plate", 3: "Metadata_Well", 4: "Metadata_Compound"}
_SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_TABLES = ("metadata.csv", "metadata.parquet")


@dataclass(frozen=True)
class Listing:
    """``root``: folder the paths are relative to. ``table``: a row per image, Metadata_Path first.

    ``rejected``: (path, reason) of what is not even tried. ``sha256`` changes when a file or a row does.
    """

    root: Path
    table: pd.DataFrame
    rejected: list[tuple[str, str]]
    sha256: str


def list_source(
    source: PathLike, *, metadata: PathLike | pd.DataFrame | None = None, pattern: str | None = None
) -> Listing:
    """The images of ``source``: a folder, or a CSV or Parquet table beside its images.

    ``metadata``: a table with a column ``path`` relative to ``source``; by default ``metadata.csv`` or
    ``metadata.parquet`` in the folder, else all image files below it are taken. ``pattern``: ``"study"`` or a
    regular expression with named groups, searched in each relative path. InputError where nothing is found.
    """
    root = Path(source)
    if not root.exists():
        raise InputError(
            f"{root} must be a folder of images, or a CSV or Parquet table, but it does not exist"
        )
    if root.is_file():
        if metadata is not None:
            raise InputError(f"{root} must be a folder where a metadata table is given too, got a file")
        root, metadata = root.parent, root
    if metadata is None:
        metadata = next((root / name for name in _TABLES if (root / name).is_file()), None)
    rejected: list[tuple[str, str]] = []
    if metadata is None:
        table = _from_folders(root, rejected)
        if table.empty:
            raise InputError(f"{root} must hold JPEG, PNG or TIFF images, got none")
    else:
        table = _from_table(root, metadata)
    if pattern is not None:
        table = _with_pattern(table, pattern, rejected, given=metadata is not None)
    table = checked_columns(table)
    return Listing(root, table, rejected, _fingerprint(root, table, rejected))


def _from_table(root: Path, metadata: PathLike | pd.DataFrame) -> pd.DataFrame:
    name = "metadata" if isinstance(metadata, pd.DataFrame) else str(metadata)
    given = metadata if isinstance(metadata, pd.DataFrame) else _read_table(root, Path(metadata))
    heads = {str(column): column for column in given.columns}
    paths = [head for head in heads if head.lower() in ("path", "metadata_path")]
    if len(paths) != 1:
        raise InputError(f"{name} must have one column path, got {', '.join(heads) or 'no columns'}")
    prefixed = [head for head in heads if head.lower().startswith(PREFIX.lower()) and head not in paths]
    taken = {column_name(head) for head in prefixed}
    # Columns without the prefix count where their name says what they are; the rest may be measurements.
    further = [
        head
        for head in heads
        if head not in prefixed + paths and column_name(head) in COLUMNS and column_name(head) not in taken
    ]
    table = given[[heads[head] for head in paths + prefixed + further]].rename(
        columns={heads[paths[0]]: "Metadata_Path"}
    )
    table = table.reset_index(drop=True)
    if table.empty:
        raise InputError(f"{name} must have at least one row, got none")
    missing = table["Metadata_Path"].isna() | (table["Metadata_Path"].astype(str).str.strip() == "")
    if missing.any():
        raise InputError(f"{name} must have a path in every row, got none in row {int(np.argmax(missing))}")
    table["Metadata_Path"] = [PurePosixPath(str(path).strip()).as_posix() for path in table["Metadata_Path"]]
    doubled = table["Metadata_Path"].duplicated()
    if doubled.any():
        first = table["Metadata_Path"][doubled].iloc[0]
        raise InputError(f"{name} must have each path once, got {doubled.sum()} repeated, such as {first}")
    return table


def _read_table(root: Path, path: Path) -> pd.DataFrame:
    file = path if path.is_file() or path.is_absolute() else root / path
    try:
        if file.suffix.lower() in (".parquet", ".pq"):
            return pd.read_parquet(file)
        # All as text: a plate 007 is not 7. Numbers are made of the columns that hold numbers afterwards.
        return pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise InputError(f"{path} must be a metadata table, but it does not exist") from None
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} must be a readable CSV or Parquet table, got: {reason}") from error


def _files_below(root: Path) -> Iterator[str]:
    """Relative paths of all files, each folder once, even where links make circles."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(folder, name).relative_to(root).as_posix()


def _from_folders(root: Path, rejected: list[tuple[str, str]]) -> pd.DataFrame:
    rows: list[dict[str, str | None]] = []
    for path in _files_below(root):
        suffix = PurePosixPath(path).suffix.lower()
        if suffix in EXTENSIONS:
            rows.append({"Metadata_Path": path, **folder_metadata(path)})
        elif suffix in OTHER_IMAGE_EXTENSIONS:
            rejected.append((path, f"the file must be JPEG, PNG or TIFF, got {suffix}"))
    return pd.DataFrame(rows)


def folder_metadata(path: str) -> dict[str, str | None]:
    """What the folders of a relative path say.

    The first folder is the class: a control-like name (controls, DMSO ...) makes ``negcon``, any other
    ``trt``. It is the compound too, unless it says no more than ``drugs`` or ``controls``; then a folder
    below it is. Folders train, val(idation) and test before the class give Metadata_Split.
    """
    part, folders = _class_folders(path)
    found: dict[str, str | None] = {"Metadata_Split": part} if part else {}
    if folders:
        found["Metadata_ControlType"] = NEGCON if is_control_name(folders[0]) else TRT
        below = folders[1] if len(folders) > 1 else None
        found["Metadata_Compound"] = below if is_class_name(folders[0]) else folders[0]
    return found


def _class_folders(path: str) -> tuple[str | None, list[str]]:
    folders = list(PurePosixPath(path).parts[:-1])
    part = _SPLIT_FOLDERS.get(folders[0].lower()) if folders else None
    return part, folders[1:] if part else folders


def _with_pattern(
    table: pd.DataFrame, pattern: str, rejected: list[tuple[str, str]], *, given: bool
) -> pd.DataFrame:
    """``table`` and the columns that names give; those of a ``given`` table take precedence."""
    parse = study_fields if pattern == STUDY else _RegexParser(pattern)
    rows, kept = [], []
    for position, path in enumerate(table["Metadata_Path"]):
        found = parse(path)
        if found is None:
            rejected.append((path, f"its name does not match the pattern {pattern!r}"))
        else:
            rows.append(found)
            kept.append(position)
    if not kept:
        first = table["Metadata_Path"].iloc[0]
        raise InputError(
            f"pattern must match the images' paths, got {pattern!r}, which matches none of {len(table)}, "
            f"such as {first}"
        )
    named = pd.DataFrame(rows)
    table = table.iloc[kept].reset_index(drop=True)
    if given:
        have = {column_name(str(column)) for column in table}
        return pd.concat([table, named.drop(columns=[name for name in named if name in have])], axis=1)
    if "Metadata_Compound" in named and "Metadata_ControlType" not in named:
        # A folder drugs/ or controls/ knows better than a name; any other folder only guesses the class.
        by_folder = table.get("Metadata_ControlType", pd.Series(None, index=table.index, dtype=object))
        by_name = control_types(named["Metadata_Compound"])
        sure = [is_class_name("".join(_class_folders(path)[1][:1])) for path in table["Metadata_Path"]]
        named["Metadata_ControlType"] = by_folder.where(np.array(sure), by_name)
    return pd.concat([table.drop(columns=[name for name in named if name in table]), named], axis=1)


def study_fields(path: str) -> dict[str, str | None] | None:
    """The study's own names, ``CELLLINE_x_PLATE_WELL_DRUG_..._Y_M_D.jpg``: fields 0, 2, 3, 4 of the stem."""
    fields = PurePosixPath(path).stem.split("_")
    if len(fields) <= max(_STUDY_FIELDS) or not all(fields[i] for i in _STUDY_FIELDS):
        return None
    return {name: fields[i] for i, name in _STUDY_FIELDS.items()}


class _RegexParser:
    """Named groups of a regular expression, as Metadata_ columns."""

    def __init__(self, pattern: str) -> None:
        try:
            self._compiled = re.compile(pattern)
        except re.error as error:
            raise InputError(
                f"pattern must be study or a regular expression, got {pattern!r}: {error}"
            ) from None
        groups = self._compiled.groupindex
        if not groups:
            raise InputError(f"pattern must have named groups such as (?P<Plate>[^_]+), got {pattern!r}")
        self._columns = {group: column_name(group) for group in groups}
        if len(set(self._columns.values())) < len(groups) or "Metadata_Path" in self._columns.values():
            raise InputError(
                f"pattern must have groups for different columns other than path, got {list(groups)}"
            )

    def __call__(self, path: str) -> dict[str, str | None] | None:
        found = self._compiled.search(path)
        return found and {self._columns[group]: value for group, value in found.groupdict().items()}


def _fingerprint(root: Path, table: pd.DataFrame, rejected: list[tuple[str, str]]) -> str:
    """Changes with any row, and with the size or time of any file; reads no pixels."""
    digest = hashlib.sha256(table.to_csv(index=False).encode())
    for path in [*table["Metadata_Path"], *(path for path, _ in rejected)]:
        try:
            status = (root / path).stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        except OSError:
            digest.update(f"{path}\0missing\n".encode())
    return digest.hexdigest()
