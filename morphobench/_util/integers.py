"""Checks of whole numbers that functions are given."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from morphobench.errors import InputError


def check_integer(name: str, value: Any, most: int | None = None, *, least: int = 0) -> int:
    """Check a whole number, Python's or NumPy's; True and False are none.

    Args:
        name: name of the argument, for the error message.
        value: its value.
        most: highest value allowed; None: any.
        least: lowest value allowed.

    Returns:
        The value as int.

    Raises:
        InputError: for anything else.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        allowed = f"from {least} on" if most is None else f"in {least}..{most}"
        raise InputError(f"{name} must be a whole number {allowed}, got {value!r}")
    return int(value)
