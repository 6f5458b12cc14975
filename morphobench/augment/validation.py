"""Checks of arguments that all classes of this package share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from morphobench._util.cpu import available_cores
from morphobench._util.integers import check_integer
from morphobench.errors import InputError
from morphobench.types import Int64Array

MOST_THREADS = 4096
MOST_SIDE_PX = 65_535
_MOST_LAST = 16  # sides of an image that is 1, 3 or 4 pixels wide and still plausible
MOST_CHANNELS = 65_503  # each has a block of 16-bit number in the generator, from 32 on


def thread_count(threads: int | None) -> int:
    """Check a number of threads.

    Args:
        threads: the number, or None for every core that this process may use.

    Returns:
        The number of threads, 1 to 4096.

    Raises:
        InputError: for a number out of range.
    """
    if threads is None:
        return available_cores()
    return check_integer("threads", threads, MOST_THREADS, least=1)


def check_number(name: str, value: Any, least: float, most: float) -> float:
    """Check a number.

    Args:
        name: name of the argument, for the error message.
        value: its value.
        least: lowest value allowed.
        most: highest value allowed.

    Returns:
        The value as float.

    Raises:
        InputError: for anything else, NaN included.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not least <= float(value) <= most:
        raise InputError(f"{name} must be a number in {least:g}..{most:g}, got {value!r}")
    return float(value)


def check_range(name: str, value: Any, least: float, most: float) -> tuple[float, float]:
    """Check a range.

    Args:
        name: name of the argument, for the error message.
        value: a pair (low, high).
        least: lowest value allowed.
        most: highest value allowed.

    Returns:
        Low and high as floats.

    Raises:
        InputError: for anything else.
    """
    try:
        low, high = value
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a pair (low, high), got {value!r}") from None
    low, high = (check_number(name, bound, least, most) for bound in (low, high))
    if low > high:
        raise InputError(f"{name} must have low <= high, got ({low!r}, {high!r})")
    return low, high


def check_image_ids(image_ids: ArrayLike) -> Int64Array:
    """Check image ids.

    Args:
        image_ids: integers (N,).

    Returns:
        The ids as contiguous int64 (N,).

    Raises:
        InputError: for another shape or an integer of 2**63 and more.
        TypeError: for other numbers.
    """
    try:
        ids = np.asarray(image_ids)
    except ValueError as error:
        raise InputError(f"image_ids must have shape (N,), got {error}") from error
    if ids.ndim != 1:
        raise InputError(f"image_ids must have shape (N,), got {ids.shape}")
    if ids.size and not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"image_ids must be integers, got dtype {ids.dtype}")
    if ids.dtype == np.uint64 and ids.size and ids.max() >= 2**63:
        raise InputError(f"image_ids must be integers below 2**63, got {ids.max()}")
    return np.ascontiguousarray(ids, dtype=np.int64)


def check_image_shape(image_shape: Sequence[int]) -> tuple[int, int, int]:
    """Check the shape of images.

    Args:
        image_shape: (H, W), (C, H, W) or (N, C, H, W).

    Returns:
        Channels (1 for (H, W)), height and width.

    Raises:
        InputError: for another shape.
    """
    try:
        sides = tuple(image_shape)
    except TypeError:
        raise InputError(f"image_shape must be (H, W) or (C, H, W), got {image_shape!r}") from None
    if len(sides) < 2:
        raise InputError(f"image_shape must be (H, W) or (C, H, W), got {sides}")
    channels = check_integer("image_shape", sides[-3], MOST_CHANNELS) if len(sides) > 2 else 1
    height, width = (check_integer("image_shape", side, MOST_SIDE_PX) for side in sides[-2:])
    if not (height and width):
        raise InputError(f"image_shape must have sides of at least 1 pixel, got {sides}")
    return channels, height, width


def check_images(images: Any) -> None:
    """Check an array of images.

    Args:
        images: uint8 or uint16 (N, H, W) or (N, C, H, W).

    Raises:
        InputError: for another shape, channels last among them.
        TypeError: for anything but such an array.
    """
    if not isinstance(images, np.ndarray):
        hint = ": images.numpy() makes one" if hasattr(images, "numpy") else ""
        raise TypeError(f"images must be a NumPy array, got {type(images).__name__}{hint}")
    if images.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"images must have dtype uint8 or uint16, got {images.dtype}")
    if images.ndim not in (3, 4):
        raise InputError(f"images must have shape (N, H, W) or (N, C, H, W), got {images.shape}")
    if images.ndim == 4 and images.shape[-1] in (1, 3, 4) and min(images.shape[1:3]) > _MOST_LAST:
        raise InputError(
            f"images must have shape (N, C, H, W), got {images.shape}, which has its channels last: "
            "numpy.moveaxis(images, -1, 1) puts them first"
        )


def check_params(params: Any) -> None:
    """Check the shape of parameters of views; the extension checks their fields.

    Args:
        params: structured array (V, N).

    Raises:
        InputError: for another shape.
        TypeError: for anything but an array.
    """
    if not isinstance(params, np.ndarray):
        raise TypeError(f"params must be a structured array, as draw returns it, got {type(params).__name__}")
    if params.ndim != 2:
        raise InputError(f"params must have shape (V, N), as draw returns it, got {params.shape}")


def check_rows(rows: Any) -> None:
    """Check rows of images; the extension checks their values.

    Args:
        rows: int64 (N,), or None.

    Raises:
        InputError: for another shape.
        TypeError: for anything but such an array.
    """
    if rows is None:
        return
    if not (isinstance(rows, np.ndarray) and rows.dtype == np.int64):
        got = f"dtype {rows.dtype}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise TypeError(f"rows must be an int64 array, got {got}")
    if rows.ndim != 1:
        raise InputError(f"rows must have shape (N,), got {rows.shape}")


def allocate(shape: tuple[int, ...], dtype: Any, *, name: str) -> Any:
    """Allocate an array that is not filled.

    It begins at a cache line, as NumPy's own arrays do not: a write across two lines takes longer.

    Args:
        shape: shape of the array.
        dtype: dtype of the array.
        name: name of the argument that asks for so much, for the error message.

    Returns:
        The array.

    Raises:
        InputError: where there is no memory for it.
    """
    line = 64
    try:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        memory = np.empty(size + line - 1, np.uint8)
    except (MemoryError, ValueError) as error:
        raise InputError(
            f"{name} must give views that fit in memory, got an array of {shape}: {error}"
        ) from error
    start = -memory.__array_interface__["data"][0] % line
    return memory[start : start + size].view(dtype).reshape(shape)
