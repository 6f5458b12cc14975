"""Strict JSON: plain types out, and reading with errors that name the file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from morphobench._util.files import read_text, write_whole
from morphobench._util.typed import show_json
from morphobench.errors import InputError


def plain(value: Any) -> Any:
    """Convert a value to JSON's own types.

    Args:
        value: numbers, text, arrays, paths, mappings and sequences of them.

    Returns:
        The value with arrays as lists, NaN and infinities as None, paths as text and sets sorted.

    Raises:
        TypeError: for anything that has no form in JSON.
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
    raise TypeError(f"value must be of a type that JSON has, got {type(value).__name__}")


def to_json(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Write a value as JSON text without NaN or infinities.

    Args:
        value: what :func:`plain` takes.
        indent: spaces of each level; None for one line.
        sort_keys: whether the keys of each object are sorted.

    Returns:
        The text, without a line break at its end.

    Raises:
        TypeError: for a value that has no form in JSON.
    """
    return json.dumps(plain(value), indent=indent, sort_keys=sort_keys, allow_nan=False)


def write_json(path: Path, value: Any, *, indent: int | None = 2, sort_keys: bool = False) -> None:
    """Replace the file at ``path`` by a value as JSON, whole or not at all.

    Args:
        path: the file.
        value: what :func:`plain` takes.
        indent: spaces of each level; None for one line.
        sort_keys: whether the keys of each object are sorted.

    Raises:
        InputError: where it cannot be written.
        TypeError: for a value that has no form in JSON.
    """
    write_whole(path, to_json(value, indent=indent, sort_keys=sort_keys) + "\n")


def parse_json(text: str | bytes, *, source: str, of_python: bool = False) -> Any:
    """Read JSON text strictly: no NaN, no infinity, no endless nesting.

    Args:
        text: the text.
        source: what the text is, for the error message, such as a file's path.
        of_python: whether Python's own writer made it, as pytest-benchmark's files: NaN and infinities, which
            it writes though JSON has none, become None.

    Returns:
        The value.

    Raises:
        InputError: where the text is no JSON.
    """
    try:
        return json.loads(text, parse_constant=_unknown if of_python else _refuse_constant)
    except RecursionError:
        raise InputError(f"{source} must be JSON, got brackets nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{source} must be JSON, got: {error}") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Args:
        path: the file.

    Returns:
        Its value.

    Raises:
        InputError: where it cannot be read or is no JSON.
    """
    return parse_json(read_text(path), source=str(path))


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Args:
        path: the file.

    Returns:
        The object.

    Raises:
        InputError: where it cannot be read, is no JSON, or holds another value.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path} must hold a JSON object, got {show_json(value)}")
    return value


def _unknown(_: str) -> None:
    return None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name}, which JSON does not have")
