"""Checks of the arrays that the retrieval functions take."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.types import Float32Array


def check_rows(profiles: Float32Array, **columns: NDArray[np.int64] | NDArray[np.bool_] | None) -> None:
    """Refuse profiles that are no (N, D) matrix, and columns that are not (N,).

    Args:
        profiles: (N, D), N and D at least 1.
        **columns: Arrays by argument name, (N,) each; None is skipped.

    Raises:
        InputError: Another shape; names the argument.
    """
    if profiles.ndim != 2 or 0 in profiles.shape:
        raise InputError(f"profiles must be (N, D) with N, D >= 1, got shape {profiles.shape}")
    for name, column in columns.items():
        if column is not None and column.shape != (len(profiles),):
            raise InputError(f"{name} must have shape ({len(profiles)},), got {column.shape}")


def rows_field(dtype: type[np.generic] = np.int64) -> Any:
    """Make a field of a result for the rows behind its figures: empty by default, not shown, not compared.

    Args:
        dtype: Of the array.

    Returns:
        Field of a dataclass.
    """
    return field(default_factory=lambda: np.zeros(0, dtype), repr=False, compare=False)
