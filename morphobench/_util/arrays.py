"""Arrays that may be larger than memory: blocks of their rows, and arrays that lie on disk."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench._util.files import reason_of
from morphobench.errors import InputError
from morphobench.types import Float32Array, Int64Array

LARGEST_IN_MEMORY_BYTES = 1 << 28
"""Larger arrays lie on disk where a folder is known."""

_BLOCK_BYTES = 1 << 26


def row_blocks(shape: tuple[int, ...], *, block_bytes: int = _BLOCK_BYTES) -> Iterator[slice]:
    """Cut the rows of a float32 array into blocks.

    Args:
        shape: (N, ...).
        block_bytes: size of a block at most, but a row at least.

    Yields:
        Slices of rows, in order.
    """
    rows = max(1, block_bytes // max(1, 4 * math.prod(shape[1:])))
    for start in range(0, shape[0], rows):
        yield slice(start, min(start + rows, shape[0]))


def thinned(rows: Int64Array, most: int, *, seed: int) -> Int64Array:
    """Draw some of many rows.

    Args:
        rows: row numbers, ascending.
        most: how many stay at most.
        seed: seed of the draw.

    Returns:
        All rows where there are no more than that; else so many of them, ascending.
    """
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def rows_not_finite(values: NDArray[Any]) -> Int64Array:
    """Find the rows with NaN or infinity, without a mask as large as the array.

    Args:
        values: float (N, D).

    Returns:
        Row numbers, int64.
    """
    found = [
        rows.start + np.flatnonzero(~np.isfinite(values[rows]).all(axis=1))
        for rows in row_blocks(values.shape)
    ]
    return np.concatenate([np.zeros(0, np.int64), *found])


def empty_array(shape: tuple[int, ...], *, folder: Path | None = None) -> Float32Array:
    """Make a float32 array that is filled later, on disk where it is large.

    On disk it is a mapped file without a name, which vanishes with the array: its pages are the page cache's,
    which the system takes back where memory is short.

    Args:
        shape: its shape.
        folder: where the file lies, made where it is absent; None: in memory, whatever its size.

    Returns:
        float32 array of any content.

    Raises:
        InputError: the folder has no room for it.
    """
    size = 4 * math.prod(shape)
    if folder is None or size <= LARGEST_IN_MEMORY_BYTES:
        return np.empty(shape, np.float32)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                # a full disk is an error now, not a signal at some later write
                os.posix_fallocate(file.fileno(), 0, size)
            return np.asarray(np.memmap(file, np.float32, "w+", shape=shape))
    except OSError as error:
        raise InputError(
            f"{folder} must have room for {size / 1e9:.1f} GB more, got: {reason_of(error)}"
        ) from error
