"""Packages that only some users need: imported on first use, with an error that says how to install them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from morphobench.errors import InputError


def load_extra(module: str, *, extra: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: dotted name, such as ``"mlflow"``.
        extra: the extra of morphobench that installs it.

    Returns:
        The module.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0] if module != "torch.utils.tensorboard" else "tensorboard"
        raise InputError(
            f"the package {package} must be installed for this (pip install 'morphobench[{extra}]'), "
            f"got {error}"
        ) from error
