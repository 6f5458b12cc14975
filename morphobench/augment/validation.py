"""The checks of arguments that everything about views shares: each names the argument, wanted and got."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from morphobench._util.cpu import available_cores
from morphobench.errors import InputError
from morphobench.types import Int64Array

MOST_THREADS = 4096
MOST_CHANNELS = 65_503  # each has a block of 16-bit number in the generator, from 32 on


def thread_count(threads: int | None) -> int:
    """``threads``, or the number of cores that this process may use; InputError outside 1..4096."""
    if threads is None:
        return available_cores()
    return check_integer("threads", threads, MOST_THREADS, least=1)


def check_integer(name: str, value: Any, most: int, *, least: int = 0) -> int:
    """``value`` as an int in least..most; InputError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise InputError(f"{name}: an integer in {least}..{most} wanted, got {value!r}")
    return int(value)


def check_number(name: str, value: Any, least: float, most: float) -> float:
    """``value`` as a float in least..most; InputError otherwise, NaN included."""
    if isinstance(value, bool) or not isinstance(value, Real) or not least <= float(value) <= most:
        raise InputError(f"{name}: a number in {least:g}..{most:g} wanted, got {value!r}")
    return float(value)


def check_range(name: str, value: Any, least: float, most: float) -> tuple[float, float]:
    """``value`` as two floats, least <= low <= high <= most; InputError otherwise."""
    try:
        low, high = value
    except (TypeError, ValueError):
        raise InputError(f"{name}: a pair (low, high) wanted, got {value!r}") from None
    low, high = (check_number(name, bound, least, most) for bound in (low, high))
    if low > high:
        raise InputError(f"{name}: low <= high wanted, got ({low!r}, {high!r})")
    return low, high


def check_image_ids(image_ids: ArrayLike) -> Int64Array:
    """``image_ids`` as contiguous int64 (N,); InputError for another rank, TypeError for other numbers."""
    try:
        ids = np.asarray(image_ids)
    except ValueError as error:
        raise InputError(f"image_ids: shape (N,) wanted, got {error}") from error
    if ids.ndim != 1:
        raise InputError(f"image_ids: shape (N,) wanted, got {ids.shape}")
    if ids.size and not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"image_ids: integers wanted, got dtype {ids.dtype}")
    if ids.dtype == np.uint64 and ids.size and ids.max() >= 2**63:
        raise InputError(f"image_ids: integers below 2**63 wanted, got {ids.max()}")
    return np.ascontiguousarray(ids, dtype=np.int64)


def check_image_shape(image_shape: Sequence[int]) -> tuple[int, int, int]:
    """Channels, height and width: the last of (H, W), (C, H, W) or (N, C, H, W); one channel for (H, W)."""
    try:
        sides = tuple(image_shape)
    except TypeError:
        raise InputError(f"image_shape: (H, W) or (C, H, W) wanted, got {image_shape!r}") from None
    if len(sides) < 2:
        raise InputError(f"image_shape: (H, W) or (C, H, W) wanted, got {sides}")
    channels = check_integer("image_shape", sides[-3], MOST_CHANNELS) if len(sides) > 2 else 1
    height, width = (check_integer("image_shape", side, 65535) for side in sides[-2:])
    if not (height and width):
        raise InputError(f"image_shape: sides of at least 1 pixel wanted, got {sides}")
    return channels, height, width


def check_images(images: Any) -> None:
    """TypeError unless an array of uint8 or uint16, InputError unless (N, H, W) or (N, C, H, W)."""
    if not isinstance(images, np.ndarray):
        raise TypeError(f"images: a NumPy array wanted, got {type(images).__name__}")
    if images.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"images: dtype uint8 or uint16 wanted, got {images.dtype}")
    if images.ndim not in (3, 4):
        raise InputError(f"images: shape (N, H, W) or (N, C, H, W) wanted, got {images.shape}")


def check_params(params: Any) -> None:
    """InputError unless an array (V, N); the extension checks its fields."""
    if not isinstance(params, np.ndarray):
        raise TypeError(f"params: a structured array wanted, as draw returns it, got {type(params).__name__}")
    if params.ndim != 2:
        raise InputError(f"params: shape (V, N) wanted, as draw returns it, got {params.shape}")


def check_rows(rows: Any) -> None:
    """TypeError unless None or an int64 array, InputError unless (N,); the extension checks the values."""
    if rows is None:
        return
    if not (isinstance(rows, np.ndarray) and rows.dtype == np.int64):
        got = f"dtype {rows.dtype}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise TypeError(f"rows: an int64 array wanted, got {got}")
    if rows.ndim != 1:
        raise InputError(f"rows: shape (N,) wanted, got {rows.shape}")


def allocate(shape: tuple[int, ...], dtype: Any, *, name: str) -> Any:
    """An array not yet filled; InputError where the memory for it cannot be had, blaming ``name``.

    It begins at a line of the cache, as NumPy's own do not: a store across two lines takes longer.
    """
    line = 64
    try:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        memory = np.empty(size + line - 1, np.uint8)
    except (MemoryError, ValueError) as error:
        raise InputError(
            f"{name}: views that fit in memory wanted, got an array of {shape}: {error}"
        ) from error
    start = -memory.__array_interface__["data"][0] % line
    return memory[start : start + size].view(dtype).reshape(shape)
