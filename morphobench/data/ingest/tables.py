"""Tables about images: CSV, tab-separated text and Parquet, read as text where they are text."""

from __future__ import annotations

import codecs
import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from morphobench._util.files import open_regular
from morphobench._util.text import printable
from morphobench.data.metadata import COLUMNS, PREFIX, column_name, heading_key
from morphobench.errors import InputError
from morphobench.types import Path as PathLike

PARQUET = (".parquet", ".pq")
TABLES = (".csv", ".tsv", ".txt", *PARQUET)
MAX_TEXT_BYTES = 1 << 30
IMAGE_NUMBER = "imagenumber"
"""Key of CellProfiler's heading ImageNumber, by which tables of cells name their images."""

_DECIMAL_COMMA = re.compile(r"\s*-?\d+,\d+\s*")


def read_table(table: PathLike | pd.DataFrame, *, root: Path | None = None) -> pd.DataFrame:
    """Read a table.

    Cells of text files stay text: a plate 007 is not 7. Empty cells are missing values. Text may be
    compressed (``.csv.gz``); its cells are separated by commas, semicolons (then 0,5 is read as 0.5) or tabs.

    Args:
        table: a file, or a table in memory, which is returned as it is.
        root: folder in which a relative path is looked for too.

    Returns:
        The table, with text as headings.

    Raises:
        InputError: where the file does not exist or is no table.
    """
    if isinstance(table, pd.DataFrame):
        return table.rename(columns=str).reset_index(drop=True)
    path = Path(table)
    file = path if root is None or path.exists() or path.is_absolute() else root / path
    if not file.exists():
        raise InputError(f"{printable(str(path))} must be a table, but it does not exist")
    suffix = table_ending(file.name)
    if not suffix:
        raise InputError(
            f"{printable(str(path))} must be a table ({', '.join(TABLES)}), got {file.suffix or 'no ending'}"
        )
    with open_regular(file) as opened:
        content = opened.read()
    try:
        if suffix in PARQUET:
            read = pd.read_parquet(io.BytesIO(content))
        else:
            text = _text(content, compressed=suffix.endswith(".gz"))
            separator = _separator(text, default="," if suffix.startswith(".csv") else "\t")
            read = pd.read_csv(
                io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, na_values=[""]
            )
            if separator == ";":
                read = read.map(_with_point)
    except Exception as error:  # pandas and pyarrow raise many kinds
        reason = " ".join(str(error).split())
        raise InputError(
            f"{printable(str(path))} must be a readable CSV or Parquet table, got: {reason}"
        ) from error
    return read.rename(columns=lambda name: str(name).strip()).reset_index(drop=True)


def table_ending(name: str) -> str:
    """Find the ending of a table's name.

    Args:
        name: name of a file.

    Returns:
        Such as ``.csv`` or ``.csv.gz``, in lower case; "" for other files.
    """
    name = name.lower()
    gzipped = tuple(f"{end}.gz" for end in TABLES if end not in PARQUET)
    return next((end for end in (*TABLES, *gzipped) if name.endswith(end)), "")


def _text(content: bytes, *, compressed: bool) -> str:
    if compressed:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            content = file.read(MAX_TEXT_BYTES + 1)
        if len(content) > MAX_TEXT_BYTES:
            raise InputError(f"the text must be at most {MAX_TEXT_BYTES >> 20} MiB, got more")
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as Excel writes "Unicode text"
    return content.decode("utf-16" if utf16 else "utf-8-sig")


def _separator(text: str, *, default: str) -> str:
    """The separator that the heading has most of."""
    heading = text.partition("\n")[0]
    best = max((default, ",", ";", "\t"), key=heading.count)
    return best if heading.count(best) else default


def _with_point(cell: object) -> object:
    return cell.replace(",", ".") if isinstance(cell, str) and _DECIMAL_COMMA.fullmatch(cell) else cell


def name_of(table: PathLike | pd.DataFrame, default: str) -> str:
    """Name a table for error messages.

    Args:
        table: a file, or a table in memory.
        default: name of a table in memory.

    Returns:
        The name.
    """
    return default if isinstance(table, pd.DataFrame) else printable(str(table))


def metadata_columns(given: pd.DataFrame, *, besides: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Choose the columns of a table that are metadata.

    Columns with the prefix Metadata_ are, and others whose heading says what they are; the rest may be
    measurements.

    Args:
        given: the table.
        besides: columns that have been used already.

    Returns:
        The columns, and the headings of those that are left out.
    """
    heads = [head for head in given.columns if head not in besides]
    prefixed = [head for head in heads if head.lower().startswith(PREFIX.lower())]
    taken = {(column_name(head), heading_key(head)) for head in prefixed}
    further = [
        head
        for head in heads
        if head not in prefixed
        and ((column := column_name(head)) in COLUMNS or heading_key(head) == IMAGE_NUMBER)
        and (column, heading_key(head)) not in taken
    ]
    used = [head for head in prefixed + further if column_name(head) != "Metadata_Path"]
    return given[used].reset_index(drop=True), [head for head in heads if head not in used]
