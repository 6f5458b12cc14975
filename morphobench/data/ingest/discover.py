"""Lists the images of a source and what is known of each: from tables, from folders, from file names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from morphobench._util.text import printable
from morphobench.data.ingest.decode import EXTENSIONS, OTHER_IMAGE_EXTENSIONS
from morphobench.data.ingest.decode_bioio import BIOIO_EXTENSIONS
from morphobench.data.ingest.listing import METADATA_TABLES, Listing, shown_path
from morphobench.data.ingest.load_data import FILE_COLUMN, from_load_data
from morphobench.data.ingest.paths import IMAGE_FOLDERS, Root, posix_path, text_of_url
from morphobench.data.ingest.patterns import CHANNEL, channel_files, match_paths
from morphobench.data.ingest.platemap import add_platemaps
from morphobench.data.ingest.tables import (
    TABLES,
    metadata_columns,
    name_of,
    read_table,
    table_ending,
)
from morphobench.data.ingest.zarr_plates import images_below
from morphobench.data.metadata import (
    EMPTY,
    NEGCON,
    PREFIX,
    TRT,
    checked_columns,
    column_name,
    column_names,
    control_types,
    heading_key,
    is_class_name,
    is_control_name,
)
from morphobench.errors import InputError
from morphobench.types import Path as PathLike

_SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_WELL_FOLDER = re.compile(r"[A-P]\d{1,2}|r\d+[-_]?c\d+", re.IGNORECASE)
_ROW, _COLUMN = (f"{PREFIX}row", f"{PREFIX}Row"), (f"{PREFIX}column", f"{PREFIX}Column", f"{PREFIX}col")
_GUESSED = ["Metadata_ControlType", "Metadata_Compound"]


def list_source(
    source: PathLike,
    *,
    metadata: PathLike | pd.DataFrame | None = None,
    pattern: str | None = None,
    load_data: PathLike | pd.DataFrame | None = None,
    platemaps: Sequence[PathLike | pd.DataFrame] = (),
    separate_files: bool = False,
    allow_outside: bool = False,
) -> Listing:
    """List the images of a source.

    Args:
        source: a folder, or a CSV or Parquet table beside its images.
        metadata: a table with a column ``path`` relative to ``source``; by default ``metadata.csv`` or
            ``metadata.parquet`` in the folder, else all image files below it are taken.
        pattern: ``"study"``, or a regular expression with named groups, searched in each relative path; a
            group Channel makes one image of the files that differ in nothing else.
        load_data: CellProfiler's LoadData table: one row per image, one file per channel.
        platemaps: tables that are joined on plate and well.
        separate_files: take files for images of their own though their names say that they are channels.
        allow_outside: read files outside of ``source`` too.

    Returns:
        The images.

    Raises:
        InputError: where nothing is found, or a table does not fit.
    """
    folder = Path(source)
    if not folder.exists():
        raise InputError(
            f"{printable(str(folder))} must be a folder of images, or a CSV or Parquet table, "
            "but it does not exist"
        )
    if folder.is_file():
        if metadata is not None or load_data is not None:
            raise InputError(f"{folder} must be a folder where a table is given too, got a file")
        if not table_ending(folder.name):
            raise InputError(
                f"{folder} must be a folder of images, or a table ({', '.join(TABLES)}), "
                f"got {folder.suffix or 'a file'}"
                + (
                    " (ImageStore.create makes a store of arrays)"
                    if folder.suffix in (".npy", ".npz")
                    else ""
                )
            )
        folder, metadata = folder.parent, folder
    if metadata is not None and load_data is not None:
        raise InputError("metadata and load_data must not be given both, got both: --platemap adds a table")
    # The folder of a Zarr is one image, or one plate.
    only = folder.name if folder.suffix.lower() in IMAGE_FOLDERS else None
    root = Root(folder if only is None else folder.parent, allow_outside=allow_outside)
    if load_data is not None:
        listing = from_load_data(root, load_data)
    else:
        if metadata is None and only is None:
            inside = sorted(folder.iterdir())
            metadata = next((path for path in inside if path.name.lower() in METADATA_TABLES), None)
        listing = _from_folders(root, only=only) if metadata is None else _from_table(root, metadata)
    if pattern is not None:
        _add_pattern(listing, pattern, given=metadata is not None or load_data is not None)
    if CHANNEL in listing.table and not listing.channel_names and load_data is None:
        _merge_channels(listing)
    elif metadata is None and load_data is None and not separate_files:
        _refuse_channel_files(listing)
    if metadata is None and load_data is None:
        _check_plate_folders(listing, has_platemaps=bool(platemaps))
    add_platemaps(listing, platemaps)
    listing.table = checked_columns(listing.table)
    _drop_empty_wells(listing)
    return listing


def _from_table(root: Root, metadata: PathLike | pd.DataFrame) -> Listing:
    name = name_of(metadata, "metadata")
    given = read_table(metadata, root=root.folder)
    heads = list(given.columns)
    paths = [head for head in heads if column_name(head) == "Metadata_Path"]
    if paths:
        paths = [head for head, column in column_names(paths).items() if column == "Metadata_Path"]
    elif any(FILE_COLUMN.match(head) for head in heads):
        raise InputError(
            f"{name} must have one column path, got a LoadData table: give it as --load-data (load_data)"
        )
    if len(paths) != 1:
        raise InputError(f"{name} must have one column path, got {', '.join(heads) or 'no columns'}")
    table, unused = metadata_columns(given, besides=paths)
    if given.empty:
        raise InputError(f"{name} must have at least one row, got none")
    column = given[paths[0]]
    folders = [head for head in heads if heading_key(head) in ("pathname", "imagepathname")]
    missing = column.isna() | (column.astype(str).str.strip() == "")
    if missing.any():
        raise InputError(f"{name} must have a path in every row, got none in row {int(np.argmax(missing))}")
    texts = [PurePosixPath(_text_of(path)).as_posix() for path in column]
    if folders and heading_key(paths[0]) in ("filename", "imagefilename"):
        within = [posix_path(_text_of(each)) for each in given[folders[0]].fillna(".")]
        texts = [f"{folder}/{text}" for folder, text in zip(within, texts, strict=True)]
        unused = [head for head in unused if head != folders[0]]
    doubled = pd.Series(texts).duplicated()
    if doubled.any():
        first = texts[int(np.argmax(doubled))]
        raise InputError(f"{name} must have each path once, got {doubled.sum()} repeated, such as {first}")
    table.insert(0, "Metadata_Path", [shown_path(text) for text in texts])
    return Listing(root, table, [(text,) for text in texts], unused_columns=unused)


def _text_of(path: object) -> str:
    text = str(path).strip()
    try:
        return text_of_url(text)
    except InputError:  # no file has such a path: its image is rejected, and the others are taken
        return text


def _from_folders(root: Root, *, only: str | None = None) -> Listing:
    rows: list[dict[str, str | None]] = []
    files: list[tuple[str, ...]] = []
    rejected: list[tuple[str, str]] = []
    for path, of_plate in images_below(root.folder, only=only):
        suffix = PurePosixPath(path).suffix.lower()
        if of_plate or suffix in EXTENSIONS or suffix in BIOIO_EXTENSIONS:
            rows.append({"Metadata_Path": shown_path(path), **(of_plate or folder_metadata(path))})
            files.append((path,))
        elif suffix in OTHER_IMAGE_EXTENSIONS:
            rejected.append((path, f"the file must be JPEG, PNG or TIFF, got {suffix}"))
    if not rows:
        raise InputError(
            f"{printable(str(root.folder))} must hold JPEG, PNG or TIFF images, got none"
            + (f" ({len(rejected)} of other formats)" if rejected else "")
        )
    return Listing(root, pd.DataFrame(rows), files, rejected=rejected)


def folder_metadata(path: str) -> dict[str, str | None]:
    """Read metadata from the folders of a relative path.

    The first folder is the class: a control-like name (controls, DMSO ...) makes ``negcon``, any other
    ``trt``. It is the compound too, unless it says no more than ``drugs`` or ``controls``; then a folder
    below it is. Folders train, val(idation) and test before the class give Metadata_Split.

    Args:
        path: path of an image, relative to the source.

    Returns:
        Values by Metadata_ column.
    """
    part, folders = _class_folders(path)
    found: dict[str, str | None] = {"Metadata_Split": part} if part else {}
    if folders:
        found["Metadata_ControlType"] = NEGCON if is_control_name(folders[0]) else TRT
        below = folders[1] if len(folders) > 1 else None
        found["Metadata_Compound"] = below if is_class_name(folders[0]) else folders[0]
    return {key: value if value is None else shown_path(value) for key, value in found.items()}


def _class_folders(path: str) -> tuple[str | None, list[str]]:
    folders = list(PurePosixPath(path).parts[:-1])
    part = _SPLIT_FOLDERS.get(folders[0].lower()) if folders else None
    return part, folders[1:] if part else folders


def _add_pattern(listing: Listing, pattern: str, *, given: bool) -> None:
    """Add the columns that names give; those of a ``given`` table take precedence."""
    paths = [files[0] for files in listing.files]
    found = match_paths(paths, pattern)
    kept = [row for row, fields in enumerate(found) if fields is not None]
    listing.rejected += [
        (path, f"its name does not match the pattern {pattern!r}")
        for path, fields in zip(paths, found, strict=True)
        if fields is None
    ]
    if not kept:
        raise InputError(
            f"pattern must match the images' paths, got {pattern!r}, which matches none of {len(paths)}, "
            f"such as {printable(paths[0])}"
        )
    listing.keep(kept)
    fields = [each for each in found if each is not None]
    named = pd.DataFrame([each.columns for each in fields])
    if any(each.without_channel is not None for each in fields):
        named[_STEM] = [each.without_channel for each in fields]
    table = listing.table
    if given:
        have = {column_name(str(column)) for column in table}
        named = named.drop(columns=[name for name in named if name in have])
        listing.table = pd.concat([table, named], axis=1)
        return
    if "Metadata_Compound" in named and "Metadata_ControlType" not in named:
        # A folder drugs/ or controls/ knows better than a name; any other folder only guesses the class.
        by_folder = table.get("Metadata_ControlType", pd.Series(None, index=table.index, dtype=object))
        by_name = control_types(named["Metadata_Compound"])
        sure = [is_class_name("".join(_class_folders(path)[1][:1])) for path in table["Metadata_Path"]]
        named["Metadata_ControlType"] = by_folder.where(np.array(sure), by_name)
    elif not _says_class(table, named):
        table = table.drop(columns=_GUESSED, errors="ignore")
    rows, columns = (next((named[n] for n in names if n in named), None) for names in (_ROW, _COLUMN))
    if "Metadata_Well" not in named and rows is not None and columns is not None:
        named["Metadata_Well"] = [f"r{row}c{column}" for row, column in zip(rows, columns, strict=True)]
    listing.table = pd.concat([table.drop(columns=[name for name in named if name in table]), named], axis=1)


def _says_class(table: pd.DataFrame, named: pd.DataFrame) -> bool:
    """Whether folders say what is control and what is drug, and are not plates, wells or one batch of all."""
    guessed = table.get("Metadata_Compound")
    if guessed is None or any((named[name] == guessed).all() for name in named):
        return False
    return guessed.nunique() != 1 or table["Metadata_ControlType"].nunique() > 1


_STEM = "stem"


def _merge_channels(listing: Listing) -> None:
    """Make one image of the files that differ in their channel only."""
    table = listing.table
    channels = table[CHANNEL].fillna("").astype(str)
    if (channels == "").all():
        return
    names = sorted(channels.unique(), key=_natural)
    others = [
        name for name in map(str, table) if name.startswith(PREFIX) and name not in (CHANNEL, "Metadata_Path")
    ]
    keys = [list(table[_STEM])] if _STEM in table else []
    keys.append([tuple(row) for row in table[others].astype(str).itertuples(index=False)])
    for key in keys:
        groups: dict[object, dict[str, int]] = {}
        for row, (group, channel) in enumerate(zip(key, channels, strict=True)):
            if channel in groups.setdefault(group, {}):
                break  # two files of one channel: this key does not tell images apart
            groups[group][channel] = row
        else:
            if len(groups) < len(table):
                _merge(listing, groups, names)
                return
    raise InputError(
        f"pattern must tell images apart by its groups besides Channel, got {len(table)} files alike"
    )


def _merge(listing: Listing, groups: dict[object, dict[str, int]], names: list[str]) -> None:
    rows, files = [], []
    for rows_by_channel in groups.values():
        first = listing.files[next(iter(rows_by_channel.values()))][0]
        if absent := [name for name in names if name not in rows_by_channel]:
            listing.rejected.append(
                (first, f"the image must have channel {', '.join(absent)}, got no file of it")
            )
            continue
        rows.append(rows_by_channel[names[0]])
        files.append(tuple(listing.files[rows_by_channel[name]][0] for name in names))
    if not rows:
        raise InputError(
            f"the images must have files of the channels {', '.join(names)}, got none that has all"
        )
    listing.table = (
        listing.table.iloc[rows].drop(columns=[CHANNEL, _STEM], errors="ignore").reset_index(drop=True)
    )
    listing.files, listing.channel_names = files, tuple(names)


def _natural(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdecimal() else (1 << 30, text)


def _refuse_channel_files(listing: Listing) -> None:
    """Refuse, or warn of, files that look like the channels of one image."""
    found = channel_files([files[0] for files in listing.files])
    if found is None:
        return
    paths, sure = found
    shown = ", ".join(printable(path) for path in paths[:3]) + (" ..." if len(paths) > 3 else "")
    text = f"{len(listing.files)} files whose names look like channels of one image each, such as {shown}"
    advice = "--load-data, or --pattern with a group (?P<Channel>...), makes one image of them"
    if sure:
        raise InputError(
            f"the images must hold all their channels, got {text}; {advice}, --separate-files does not"
        )
    listing.warnings.append(f"{text}: they were read as images of their own; {advice}")


def _check_plate_folders(listing: Listing, *, has_platemaps: bool) -> None:
    """Where folders are plates and wells, they are no classes."""
    table = listing.table
    if has_platemaps:
        sure = all(is_class_name("".join(_class_folders(files[0])[1][:1])) for files in listing.files)
        if not sure:
            listing.table = table.drop(columns=_GUESSED, errors="ignore")
    elif "Metadata_Well" not in table and all(
        any(_WELL_FOLDER.fullmatch(part) for part in PurePosixPath(files[0]).parts[:-1])
        for files in listing.files
    ):
        raise InputError(
            f"{listing.root.folder} must have folders of classes, got folders of wells, such as "
            f"{printable(listing.files[0][0])}: --pattern '(?P<Plate>[^/]+)/(?P<Well>[A-P]\\d+)/' reads "
            "plates and wells, --platemap what they hold"
        )


def _drop_empty_wells(listing: Listing) -> None:
    if "Metadata_ControlType" not in listing.table:
        return
    empty = (listing.table["Metadata_ControlType"] == EMPTY).to_numpy()
    listing.rejected += [
        (files[0], "the well must have been treated or be a control, got one that is marked empty")
        for files, is_empty in zip(listing.files, empty, strict=True)
        if is_empty
    ]
    if empty.any():
        listing.warnings.append(f"{int(empty.sum())} images of wells that are marked empty are left out")
        listing.keep([int(row) for row in np.flatnonzero(~empty)])
        if not listing.files:
            raise InputError("metadata must have wells that are not empty, got none")
