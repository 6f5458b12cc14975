"""What a source holds: one row of metadata and one or several files per image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from morphobench._util.text import printable
from morphobench.data.ingest.paths import Root
from morphobench.data.ingest.tables import PARQUET, table_ending
from morphobench.errors import InputError
from morphobench.types import Path as PathLike

METADATA_TABLES = ("metadata.csv", "metadata.parquet")
"""Names of tables that are found without being named."""

_LOAD_DATA = ("load_data.csv", "load_data.csv.gz", "load_data_with_illum.csv", "load_data_with_illum.csv.gz")


@dataclass
class Listing:
    """The images of a source, before any is decoded.

    Attributes:
        root: the folder that paths are relative to.
        table: one row per image, Metadata_Path first.
        files: the files of each row: one that holds all channels, or one per channel.
        channel_names: names of the channels where each has a file of its own.
        rejected: (path, reason) of what is not even tried.
        unused_columns: headings of tables that do not go into the store.
        warnings: what a reader should know.
    """

    root: Root
    table: pd.DataFrame
    files: list[tuple[str, ...]]
    channel_names: tuple[str, ...] = ()
    rejected: list[tuple[str, str]] = field(default_factory=list)
    unused_columns: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def keep(self, rows: list[int]) -> None:
        """Keep some of the images.

        Args:
            rows: their positions.
        """
        self.table = self.table.iloc[rows].reset_index(drop=True)
        self.files = [self.files[row] for row in rows]

    def fingerprint(self) -> str:
        """Hash the rows, and the size and time of every file; no pixels are read.

        Returns:
            The hexadecimal SHA-256, which changes with any of them.
        """
        digest = hashlib.sha256(self.table.to_csv(index=False).encode("utf-8", "surrogatepass"))
        for path in [*(path for files in self.files for path in files), *(path for path, _ in self.rejected)]:
            try:
                status = self.root.file(path).stat()
                text = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n"
            except (OSError, InputError, ValueError):
                text = f"{path}\0missing\n"
            digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def shown_path(path: str) -> str:
    """Write a path as a store can hold it: bytes that are no UTF-8 as escapes.

    Args:
        path: the path.

    Returns:
        The text.
    """
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return printable(path)
    return path


def warn_of_tables(listing: Listing, given: Sequence[PathLike | pd.DataFrame | None]) -> None:
    """Add warnings of tables that lie in the source and were not used.

    Args:
        listing: the images.
        given: the tables that were used.
    """
    folder = listing.root.folder
    names = {path.name for path in folder.iterdir()}
    used = {Path(each).name for each in given if isinstance(each, str | Path)}
    used |= {name for name in names if name.lower() in METADATA_TABLES}
    for name in sorted(names - used):
        if name in _LOAD_DATA:
            option = "--load-data"
        elif not used & names and table_ending(name).startswith((".csv", ".tsv", *PARQUET)):
            option = "one of --metadata, --load-data, --platemap and --locations"
        else:
            continue
        listing.warnings.append(f"{printable(name)} lies in {folder} and was not used: {option} reads it")
