"""Reads the records of a run: OUT/results.jsonl, one JSON object a line."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from morphobench.errors import InputError
from morphobench.types import Path

Record: TypeAlias = Mapping[str, Any]
"""One setup and seed of a run, as OUT/results.jsonl holds it."""

_NEEDED = ("setup", "protocol", "seed", "metrics")


def load_records(path: Path) -> list[dict[str, Any]]:
    """The records of ``path``: an OUT folder, or a results file. One per setup and seed, the last one wins.

    InputError names the file and line of a record that cannot be read or lacks a key.
    """
    file = pathlib.Path(path)
    if file.is_dir():
        file = file / "results.jsonl"
    if not file.is_file():
        raise InputError(f"{file}: a results.jsonl made by `morphobench run` wanted, got no such file")
    kept: dict[tuple[str, Any], dict[str, Any]] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            record = _record(line, where=f"{file}, line {number}")
            kept[record["setup"], record["seed"]] = record
    if not kept:
        raise InputError(f"{file}: at least one record wanted, got none")
    return list(kept.values())


def load_tables(path: Path, records: Sequence[Record], *, name: str) -> dict[tuple[str, int], pd.DataFrame]:
    """The tables ``OUT/tables/SETUP__seedK/NAME.csv`` of ``records`` by setup and seed; those that there are.

    ``name``: such as "classification.predictions". Nothing where ``path`` is a file and no OUT folder.
    InputError names a file that is no table.
    """
    found = {}
    for record in records:
        setup, seed = str(record["setup"]), int(record["seed"])
        file = pathlib.Path(path) / "tables" / f"{setup.replace('/', '__')}__seed{seed}" / f"{name}.csv"
        if file.is_file():
            try:
                found[setup, seed] = pd.read_csv(file)
            except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
                raise InputError(
                    f"{file}: a CSV table wanted, got one that cannot be read ({error})"
                ) from error
    return found


def _record(line: str, *, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: a JSON object wanted, got {line[:40]!r} ({error.msg})") from error
    if not isinstance(record, dict):
        raise InputError(f"{where}: a JSON object wanted, got a {type(record).__name__}")
    missing = [key for key in _NEEDED if key not in record]
    if missing:
        raise InputError(
            f"{where}: a record with {', '.join(_NEEDED)} wanted, got none of {', '.join(missing)}"
        )
    if not isinstance(record["metrics"], dict) or not isinstance(record["setup"], str):
        raise InputError(f"{where}: setup as text and metrics as an object wanted, got others")
    return record
