"""CellProfiler's LoadData tables: one row per image, one file per channel."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping

import pandas as pd

from morphobench._util.text import printable
from morphobench.data.ingest.listing import Listing, shown_path
from morphobench.data.ingest.paths import Root, posix_path, text_of_url
from morphobench.data.ingest.tables import metadata_columns, name_of, read_table
from morphobench.errors import InputError
from morphobench.types import Path as PathLike

FILE_COLUMN = re.compile(r"(?:Image_)?(FileName|PathName|URL)_(.+)")
_PLANE_COLUMN = re.compile(r"(?:Image_)?(?:Frame|Series)_(.+)")
_ILLUMINATION = re.compile(r"illum", re.IGNORECASE)


def from_load_data(root: Root, load_data: PathLike | pd.DataFrame) -> Listing:
    """List the images of a LoadData table.

    Columns ``FileName_X`` with ``PathName_X``, or ``URL_X`` with the file scheme, name the file of channel X;
    ``Orig`` in front of a channel's name is left out. Illumination functions are not used. ``Frame_X`` and
    ``Series_X`` may say 0, the first page of the first series, and nothing else.

    Args:
        root: the folder of the source.
        load_data: the table.

    Returns:
        The images.

    Raises:
        InputError: for a table without channels or rows, or of planes inside files.
    """
    name = name_of(load_data, "load_data")
    given = read_table(load_data, root=root.folder)
    columns: dict[str, dict[str, str]] = {}
    for head in given.columns:
        if (found := FILE_COLUMN.fullmatch(head)) and not _ILLUMINATION.match(found[2]):
            columns.setdefault(found[2], {})[found[1]] = head
    channels = {channel: heads for channel, heads in columns.items() if "FileName" in heads or "URL" in heads}
    if not channels:
        raise InputError(
            f"{name} must have columns FileName_X (with PathName_X) or URL_X, "
            f"got {', '.join(given.columns) or 'no columns'}"
        )
    if given.empty:
        raise InputError(f"{name} must have at least one row, got none")
    used = [head for heads in channels.values() for head in heads.values()]
    used += _planes(given, channels, name)
    table, unused = metadata_columns(given, besides=used)
    listing = Listing(root, table, [], unused_columns=unused)
    listing.channel_names = tuple(channel.removeprefix("Orig") or channel for channel in channels)
    kept: list[int] = []
    for row, cells in enumerate(given.to_dict("records")):
        try:
            listing.files.append(_files(cells, channels))
            kept.append(row)
        except InputError as error:
            listing.rejected.append((f"{name}, row {row + 1}", str(error)))
    if not kept:
        raise InputError(
            f"{name} must name the files of at least one image, got none: {listing.rejected[0][1]}"
        )
    listing.table = table.iloc[kept].reset_index(drop=True)
    listing.table.insert(0, "Metadata_Path", [shown_path(files[0]) for files in listing.files])
    doubled = pd.Series(listing.files).duplicated()
    if doubled.any():
        first = listing.files[int(doubled.to_numpy().argmax())][0]
        raise InputError(f"{name} must have each image once, got {doubled.sum()} repeated, such as {first}")
    shared = pd.Series([path for files in listing.files for path in files])
    if (again := shared[shared.duplicated()]).any():
        listing.warnings.append(
            f"{again.nunique()} files are channels of several images, such as {printable(again.iloc[0])}"
        )
    return listing


def _planes(given: pd.DataFrame, channels: Mapping[str, object], name: str) -> list[str]:
    """The columns that name planes inside the channels' files, once they name first ones only."""
    heads = [
        head for head in map(str, given) if (found := _PLANE_COLUMN.fullmatch(head)) and found[1] in channels
    ]
    for head in heads:
        further = given[head].notna() & (pd.to_numeric(given[head], errors="coerce") != 0)
        if further.any():
            raise InputError(
                f"{name} must have a file for each channel of each image ({head} 0), got {head} "
                f"{given[head][further].iloc[0]}: save such planes as files of their own; if a file "
                "holds just the channels of one image, --pages channels without --load-data reads it"
            )
    return heads


def _files(cells: Mapping[Hashable, object], channels: Mapping[str, dict[str, str]]) -> tuple[str, ...]:
    files = {channel: _file(cells, heads) for channel, heads in channels.items()}
    if len(set(files.values())) < len(files):
        first = next(path for path in files.values() if list(files.values()).count(path) > 1)
        shown = ", ".join(channel for channel, path in files.items() if path == first)
        raise InputError(f"channels must have files of their own, got {first} for {shown}")
    return tuple(files.values())


def _file(cells: Mapping[Hashable, object], heads: dict[str, str]) -> str:
    def text(kind: str) -> str:
        value = cells.get(heads.get(kind, ""))
        return "" if value is None or pd.isna(value) else str(value).strip()  # type: ignore[call-overload]

    if name := text("FileName"):
        folder = posix_path(text_of_url(text("PathName")))
        return f"{folder.rstrip('/')}/{name}" if folder else name
    if url := text("URL"):
        return text_of_url(url)
    raise InputError(f"{next(iter(heads.values()))} must name a file, got none")
