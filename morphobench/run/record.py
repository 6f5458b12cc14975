"""Files of a run: strict JSON, written whole or not at all, and the records of ``results.jsonl``."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from morphobench import types
from morphobench.errors import InputError

RESULTS = "results.jsonl"
REQUIRED = ("setup", "protocol", "seed", "metrics")
"""Keys without which a line of ``results.jsonl`` is no record."""


def plain(value: Any) -> Any:
    """``value`` in JSON's own types: arrays become lists, NaN and infinities null, paths text.

    TypeError for anything that has no form in JSON.
    """
    if value is None or (isinstance(value, bool | str | int) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    raise TypeError(f"value: something that JSON can hold wanted, got {type(value).__name__}")


def write_text(path: Path, text: str) -> None:
    """Replace the file at ``path`` by ``text`` in one step: after a crash it is the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(plain(content), indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file; InputError where it cannot be read or is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: a readable file wanted, got: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: JSON wanted, got: {error}") from error


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
    write_text(path, before + json.dumps(plain(record), allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file; InputError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: a readable file wanted, got: {error.strerror}") from error


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
