"""TOML files: read by the standard library, written here for the few types that options have."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from morphobench._util.files import read_text
from morphobench.errors import InputError


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        InputError: It cannot be read or is not TOML.
    """
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path} must be a TOML file, got brackets nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{path} must be a TOML file, got: {error}") from error


def toml_text(content: Mapping[str, Any]) -> str:
    """Write nested mappings of texts, numbers, truth values and lists as TOML.

    Args:
        content: What to write; values before tables.

    Returns:
        Text that `read_toml` reads back to the same content.

    Raises:
        TypeError: A value of another type.
    """
    return "\n".join(_lines(content, ())) + "\n"


def toml_value(value: Any) -> str:
    """Write one value as TOML, on one line.

    Args:
        value: A text, a number, a truth value, or a list of these.

    Returns:
        The text.

    Raises:
        TypeError: A value of another type.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    raise TypeError(
        f"a TOML value must be text, a number, a truth value or a list, got {type(value).__name__}"
    )


def _lines(content: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    if path:
        yield f"\n[{'.'.join(_key(name) for name in path)}]"
    tables = {name: value for name, value in content.items() if isinstance(value, Mapping)}
    for name, value in content.items():
        if name not in tables:
            yield f"{_key(name)} = {toml_value(value)}"
    for name, table in tables.items():
        yield from _lines(table, (*path, name))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(text: str) -> str:
    # JSON escapes as TOML does, but for the delete character; other characters stand for themselves.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
