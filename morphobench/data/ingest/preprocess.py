"""From a decoded image to what a store holds: channels chosen, 8 bits, cut into tiles, of one size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from morphobench.data.ingest.decode import Pixels
from morphobench.errors import InputError
from morphobench.types import UInt8Array

Fit = Literal["resize", "crop"]
PERCENTILES = (0.3, 99.7)
"""What ``percentile`` maps to 0 and 255, per image and channel."""

SIXTEEN_BIT = "--range (value_range) must be minmax, percentile or LOW:HIGH for 16-bit images, got none"
_RANGE = re.compile(r"\s*([0-9.eE+]+)\s*:\s*([0-9.eE+]+)\s*")


@dataclass(frozen=True)
class Preparation:
    """How every image of a store is prepared; made by ``preparation``, which checks the values.

    ``channels``: which to keep, in this order; None: all. ``value_range``: ``"none"``, ``"minmax"``,
    ``"percentile"`` or (low, high). ``tile``: side of the square tiles in px, or None.
    """

    size_px: int = 64
    channels: tuple[int, ...] | None = None
    fit: Fit = "resize"
    tile: int | None = None
    value_range: str | tuple[float, float] = "none"

    def apply(self, pixels: Pixels) -> UInt8Array:
        """uint8 (T, C, size_px, size_px), T tiles, from (C, H, W); InputError says why it cannot be."""
        if self.channels is not None:
            if max(self.channels) >= len(pixels):
                raise InputError(
                    f"the image must have channel {max(self.channels)}, got {len(pixels)} channels from 0"
                )
            pixels = pixels[list(self.channels)]
        scaled = to_8_bit(pixels, self.value_range)
        pieces = [scaled] if self.tile is None else cut_tiles(scaled, self.tile)
        bring = resized if self.fit == "resize" else centre_crop
        return np.stack([bring(piece, self.size_px) for piece in pieces])


def preparation(
    *,
    size_px: int = 64,
    channels: Sequence[int] | int | str | None = None,
    fit: str = "resize",
    tile: int | None = None,
    value_range: str | Sequence[float] = "none",
) -> Preparation:
    """The checked Preparation; ``channels`` and ``value_range`` also as the command line writes them."""
    for name, value in (("size_px", size_px), ("tile", tile)):
        if name == "tile" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value <= 16384:
            raise InputError(f"{name} must be a whole number of pixels, 1 to 16384, got {value!r}")
    if fit not in ("resize", "crop"):
        raise InputError(f"fit must be resize or crop, got {fit!r}")
    return Preparation(
        size_px=int(size_px),
        channels=_parse_channels(channels),
        fit=fit,  # type: ignore[arg-type]
        tile=None if tile is None else int(tile),
        value_range=_parse_range(value_range),
    )


def _parse_channels(channels: Sequence[int] | int | str | None) -> tuple[int, ...] | None:
    if channels is None:
        return None
    wrong = InputError(f"channels must be different whole numbers from 0 on, such as 0,2, got {channels!r}")
    if isinstance(channels, str):
        try:
            numbers: tuple[Any, ...] = tuple(int(part) for part in channels.split(","))
        except ValueError:
            raise wrong from None
    elif isinstance(channels, int | np.integer):
        numbers = (channels,)
    else:
        numbers = tuple(channels)
    if not numbers or len(set(numbers)) < len(numbers):
        raise wrong
    if any(isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0 for n in numbers):
        raise wrong
    return tuple(int(n) for n in numbers)


def _parse_range(value_range: str | Sequence[float]) -> str | tuple[float, float]:
    wrong = InputError(
        "range must be none, minmax, percentile or LOW:HIGH with LOW < HIGH (such as 100:4095), "
        f"got {value_range!r}"
    )
    if value_range in ("none", "minmax", "percentile"):
        return str(value_range)
    try:
        if isinstance(value_range, str):
            matched = _RANGE.fullmatch(value_range)
            low, high = (float(group) for group in matched.groups()) if matched else (0.0, 0.0)
        else:
            low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        raise wrong from None
    if not 0 <= low < high < np.inf:
        raise wrong
    return low, high


def to_8_bit(pixels: Pixels, value_range: str | tuple[float, float]) -> UInt8Array:
    """uint8 (C, H, W): 8-bit values unchanged with ``"none"``; otherwise low..high mapped to 0..255.

    ``"minmax"`` and ``"percentile"`` take low and high from the image, channel by channel; a channel of one
    value becomes 0. InputError for 16-bit values with ``"none"``: there is no right answer then.
    """
    if value_range == "none":
        if pixels.dtype == np.uint8:
            return pixels.astype(np.uint8, copy=False)
        raise InputError(SIXTEEN_BIT)
    flat = pixels.reshape(len(pixels), -1)
    if isinstance(value_range, tuple):
        low, high = np.full(len(pixels), value_range[0]), np.full(len(pixels), value_range[1])
    elif value_range == "minmax":
        low, high = flat.min(axis=1).astype(np.float64), flat.max(axis=1).astype(np.float64)
    else:
        low, high = np.percentile(flat, PERCENTILES, axis=1)
    width = np.where(high > low, high - low, np.inf)
    scaled = (pixels - low[:, None, None]) * (255.0 / width)[:, None, None]
    return np.asarray(np.clip(np.rint(scaled), 0, 255), dtype=np.uint8)


def cut_tiles(pixels: UInt8Array, tile: int) -> list[UInt8Array]:
    """Square tiles (C, tile, tile), row by row from the top left; what is left at the far edges goes."""
    _, height, width = pixels.shape
    if height < tile or width < tile:
        raise InputError(
            f"the image must have at least {tile} x {tile} px to cut tiles from, got {height} x {width}"
        )
    return [
        pixels[:, top : top + tile, left : left + tile]
        for top in range(0, height - tile + 1, tile)
        for left in range(0, width - tile + 1, tile)
    ]


def resized(pixels: UInt8Array, size_px: int) -> UInt8Array:
    """uint8 (C, size_px, size_px), bilinear, antialiased, as Pillow does it; other shapes are squeezed."""
    if pixels.shape[1:] == (size_px, size_px):
        return pixels
    planes: list[NDArray[np.uint8]] = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(plane)).resize((size_px, size_px), Image.Resampling.BILINEAR)
        )
        for plane in pixels
    ]
    return np.stack(planes)


def centre_crop(pixels: UInt8Array, size_px: int) -> UInt8Array:
    """uint8 (C, size_px, size_px) from the middle, unscaled; InputError where the image is smaller."""
    _, height, width = pixels.shape
    if height < size_px or width < size_px:
        raise InputError(
            f"the image must have at least {size_px} x {size_px} px to crop from, got {height} x {width}"
        )
    top, left = (height - size_px) // 2, (width - size_px) // 2
    return pixels[:, top : top + size_px, left : left + size_px]
