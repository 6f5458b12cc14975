"""Reads what a run left in OUT: its records and the tables of its tasks."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import pandas as pd

from morphobench.errors import InputError
from morphobench.run.folder import SetupFiles
from morphobench.run.record import Record, read_records
from morphobench.types import Path


def load_records(path: Path) -> list[Record]:
    """Read the records of an OUT folder or a results file.

    Args:
        path: the folder or the file.

    Returns:
        One record per setup and seed; at least one.

    Raises:
        InputError: where there are none, or one is damaged.
    """
    records = read_records(path)
    if not records:
        raise InputError(f"{path} must hold at least one record, got none")
    return records


def load_tables(path: Path, records: Sequence[Record], *, name: str) -> dict[tuple[str, int], pd.DataFrame]:
    """The tables ``OUT/tables/SETUP__seedK/NAME.csv`` of ``records`` by setup and seed; those that there are.

    ``name``: such as "classification.predictions". Nothing where ``path`` is a file and no OUT folder.
    InputError names a file that is no table.
    """
    found = {}
    for record in records:
        file = SetupFiles.of(pathlib.Path(path), record.setup, record.seed).table(name)
        if file.is_file():
            try:
                found[record.setup, record.seed] = pd.read_csv(file)
            except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
                raise InputError(
                    f"{file}: a CSV table wanted, got one that cannot be read ({error})"
                ) from error
    return found
