"""Tables about images: CSV, tab-separated text and Parquet, read as text where they are text."""

from __future__ import annotations

import io
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


def read_table(table: PathLike | pd.DataFrame, *, root: Path | None = None) -> pd.DataFrame:
    """Read a table.

    Cells of text files stay text: a plate 007 is not 7. Empty cells are missing values.

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
    suffix = file.suffix.lower()
    if suffix not in TABLES:
        raise InputError(
            f"{printable(str(path))} must be a table ({', '.join(TABLES)}), got {suffix or 'no ending'}"
        )
    with open_regular(file) as opened:
        content = opened.read()
    try:
        if suffix in PARQUET:
            read = pd.read_parquet(io.BytesIO(content))
        else:
            text = content.decode("utf-8-sig")
            separator = (
                "\t"
                if suffix != ".csv"
                or text.partition("\n")[0].count("\t") > text.partition("\n")[0].count(",")
                else ","
            )
            read = pd.read_csv(
                io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, na_values=[""]
            )
    except Exception as error:  # pandas and pyarrow raise many kinds
        reason = " ".join(str(error).split())
        raise InputError(
            f"{printable(str(path))} must be a readable CSV or Parquet table, got: {reason}"
        ) from error
    return read.rename(columns=lambda name: str(name).strip()).reset_index(drop=True)


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
        and (column := column_name(head)) in COLUMNS
        and (column, heading_key(head)) not in taken
    ]
    used = [head for head in prefixed + further if column_name(head) != "Metadata_Path"]
    return given[used].reset_index(drop=True), [head for head in heads if head not in used]
