"""Reads the tables that the tasks of a run left in OUT."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from morphobench.errors import InputError
from morphobench.run.folder import SetupFiles
from morphobench.run.record import Record, read_records
from morphobench.types import Path

_NUMBERS = {
    "classification.predictions": ("row", "label", "drug_probability"),
    "classification.by_cell_line": ("roc_auc",),
    "clustering.assignments": ("row", "x", "y", "cluster"),
}
"""Columns of numbers that a table must have to be used."""
_MAY_BE_MISSING = ("roc_auc",)  # of a cell line with one class
_MOST_ROWS = 2**53


def load_records(path: Path) -> list[Record]:
    """Read the records of an OUT folder or a results file.

    Args:
        path: the folder or the file.

    Returns:
        One record per setup and seed; at least one.

    Raises:
        InputError: where there are none, or one is damaged.
    """
    if not pathlib.Path(path).exists():
        raise InputError(f"{path} must be a run's folder or a file of results, but it does not exist")
    records = read_records(path)
    if not records:
        raise InputError(f"{path} must hold at least one record, got none")
    return records


def load_tables(path: Path, records: Sequence[Record], *, name: str) -> dict[tuple[str, int], pd.DataFrame]:
    """Read a table of every setup and seed that has it.

    Args:
        path: the folder of the run; a results file has no tables.
        records: the records of the run.
        name: the table, such as "classification.predictions".

    Returns:
        Tables by setup and seed.

    Raises:
        InputError: for a file that is no table, or lacks the columns of numbers that it must have.
    """
    found = {}
    for record in records:
        file = SetupFiles.of(pathlib.Path(path), record.setup, record.seed).table(name)
        if not file.is_file():
            continue
        try:
            table = pd.read_csv(file, low_memory=False)  # else columns of mixed types are warned about
        except ValueError as error:  # of the parser, or of bytes that are no UTF-8
            raise InputError(f"{file} must be a CSV table, got: {error}") from error
        for column in _NUMBERS.get(name, ()):
            if column not in table or not pd.api.types.is_numeric_dtype(table[column]):
                kind = "no such column" if column not in table else f"{table[column].dtype} values"
                raise InputError(f"{file} must have a column {column} of numbers, got {kind}")
            wrong = ~np.isfinite(table[column].to_numpy(np.float64)) & (column not in _MAY_BE_MISSING)
            if column == "row":
                wrong |= ~table[column].between(0, _MOST_ROWS).to_numpy()
            if wrong.any():
                place = int(np.flatnonzero(wrong)[0])
                got = table[column].iloc[place]
                raise InputError(f"{file}, line {place + 2}: {column} must be a number of the run, got {got}")
        found[record.setup, record.seed] = table
    return found
