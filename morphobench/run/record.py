"""The records of a run: ``results.jsonl``, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from morphobench import types
from morphobench._util.files import write_whole
from morphobench._util.json import to_json
from morphobench.errors import InputError

RESULTS = "results.jsonl"
REQUIRED = ("setup", "protocol", "seed", "metrics")
"""Keys without which a line of ``results.jsonl`` is no record."""


def read_records(path: types.Path) -> list[dict[str, Any]]:
    """The records of a ``results.jsonl``, or of the one in a run's folder; one per setup and seed.

    InputError for a missing file and for a line that is no record, with its number.
    """
    file = Path(path)
    if file.is_dir():
        if not (file / RESULTS).is_file():
            raise InputError(f"{file}: the folder of a run with a {RESULTS} wanted, but it has none")
        file = file / RESULTS
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise InputError(f"{file}: a readable file of records wanted, got: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: UTF-8 text wanted, got: {error}") from error
    return [_record(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line to the records in ``path``; a reader sees it whole or not at all."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    write_whole(path, before + to_json(record) + "\n")


def finished(records: Iterable[Mapping[str, Any]]) -> set[tuple[str, int]]:
    """(setup, seed) of every record."""
    return {(record["setup"], record["seed"]) for record in records}


def _record(file: Path, number: int, line: str) -> dict[str, Any]:
    advice = "remove the line to have its setup done again"
    try:
        record = json.loads(line, parse_constant=_refuse_constant)
    except ValueError as error:
        raise InputError(f"{file}, line {number}: a JSON record wanted, got: {error}; {advice}") from error
    missing = [key for key in REQUIRED if not isinstance(record, dict) or key not in record]
    if missing:
        raise InputError(
            f"{file}, line {number}: a record with {', '.join(REQUIRED)} wanted, "
            f"it has no {', '.join(missing)}; {advice}"
        )
    return dict(record)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name}, which JSON does not have")
