"""Objects that users name as ``package.module:name``, from installed packages or the current folder."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from morphobench.errors import InputError


def load_plugin(target: str, *, label: str) -> Any:
    """Import what a user named.

    A module that is not installed is looked for in the current folder. The folder is not put on Python's
    path: nothing else is imported from there, so that a stray ``torch.py`` never runs.

    Args:
        target: "package.module:name".
        label: What it is for, to begin an error with, such as "--objective".

    Returns:
        The object of that name.

    Raises:
        InputError: There is no such module or name, or importing it fails.
    """
    module, _, name = target.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), name)):
        raise InputError(f"{label} must be 'package.module:name', got {target!r}")
    try:
        found = _import(module)
        return getattr(found, name)
    except (ImportError, AttributeError, SyntaxError, ValueError) as error:
        raise InputError(
            f"{label} must be importable as 'package.module:name' from an installed package or the current "
            f"folder, got {target!r}: {error}"
        ) from error


def _import(module: str) -> Any:
    top = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != top:
            raise
        spec = PathFinder.find_spec(top, [str(Path.cwd())])
        if spec is None or spec.loader is None:
            raise
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[top] = loaded
    try:
        spec.loader.exec_module(loaded)
    except BaseException:
        del sys.modules[top]
        raise
    return importlib.import_module(module)  # a part of the package, found beside it
