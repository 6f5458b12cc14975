"""From a decoded image to what a store holds: channels chosen, 8 bits, tiles or cells, of one size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from morphobench._util.integers import check_integer
from morphobench.data.ingest.decode import Pixels
from morphobench.errors import InputError
from morphobench.types import Float64Array, Int64Array, UInt8Array

Fit = Literal["resize", "crop"]
Edge = Literal["drop", "pad"]
PERCENTILES = (0.3, 99.7)
"""What ``percentile`` maps to 0 and 255, per image and channel."""

SIXTEEN_BIT = "--range (value_range) must be minmax, percentile or LOW:HIGH for 16-bit images, got none"
_STRIP = 1 << 20  # pixels
_RANGE = re.compile(r"\s*([0-9.eE+]+)\s*:\s*([0-9.eE+]+)\s*")


@dataclass(frozen=True)
class Preparation:
    """How every image of a store is prepared; made by ``preparation``, which checks the values.

    Attributes:
        size_px: side of the stored images.
        channels: which channels to keep, by number from 0 or by name, in this order; None: all.
        fit: how an image of another size is made to fit.
        tile: side of the square tiles in pixels; None: no tiles.
        value_range: ``"none"``, ``"minmax"``, ``"percentile"`` or (low, high).
        crop_px: side of the square around each cell in pixels.
        edge: what becomes of cells whose square leaves the image.
    """

    size_px: int = 64
    channels: tuple[int | str, ...] | None = None
    fit: Fit = "resize"
    tile: int | None = None
    value_range: str | tuple[float, float] = "none"
    crop_px: int = 64
    edge: Edge = "drop"

    def channel_numbers(self, names: Sequence[str], count: int) -> list[int]:
        """Find the channels to keep in an image.

        Args:
            names: names of the image's channels; empty where they have none.
            count: number of the image's channels.

        Returns:
            Their numbers.

        Raises:
            InputError: for a channel that the image does not have.
        """
        if self.channels is None:
            return list(range(count))
        lowered = [name.lower() for name in names]
        numbered = bool(names) and all(name.isdecimal() for name in names)  # then a number is a name
        found = []
        for channel in self.channels:
            channel = str(channel) if numbered else channel
            if isinstance(channel, str):
                if channel.lower() not in lowered:
                    known = ", ".join(names) or f"{count} channels without names"
                    raise InputError(f"the image must have channel {channel} of --channels, got {known}")
                found.append(lowered.index(channel.lower()))
            elif channel >= count:
                raise InputError(
                    f"the image must have channel {channel} of --channels, got {count}, numbered from 0"
                )
            else:
                found.append(channel)
        return found

    def apply(self, pixels: Pixels, *, names: Sequence[str] = ()) -> UInt8Array:
        """Prepare one image.

        Args:
            pixels: uint8 or uint16 (C, H, W).
            names: names of the C channels; empty where they have none.

        Returns:
            uint8 (T, C, size_px, size_px), T tiles; one where there are no tiles.

        Raises:
            InputError: where it cannot be prepared, with the reason.
        """
        scaled = self._scaled(pixels, names)
        pieces = [scaled] if self.tile is None else cut_tiles(scaled, self.tile)
        return np.stack([self._fitted(piece) for piece in pieces])

    def apply_at(
        self, pixels: Pixels, points: Float64Array, *, names: Sequence[str] = ()
    ) -> tuple[UInt8Array, Int64Array]:
        """Cut one square around each cell of an image.

        Args:
            pixels: uint8 or uint16 (C, H, W).
            points: (cells, 2), x and y of their centres in pixels.
            names: names of the C channels; empty where they have none.

        Returns:
            uint8 (T, C, size_px, size_px), and int64 (T,), the cells that they are of.

        Raises:
            InputError: where no square is left, with the reason.
        """
        squares, kept = cut_cells(self._scaled(pixels, names), points, self.crop_px, edge=self.edge)
        if not squares:
            raise InputError(
                f"the image must have a cell whose {self.crop_px} px square lies inside, "
                f"got none of {len(points)}"
            )
        return np.stack([self._fitted(square) for square in squares]), kept

    def _scaled(self, pixels: Pixels, names: Sequence[str]) -> UInt8Array:
        numbers = self.channel_numbers(names, len(pixels))
        chosen = pixels if numbers == list(range(len(pixels))) else pixels[numbers]
        return to_8_bit(chosen, self.value_range)

    def _fitted(self, piece: UInt8Array) -> UInt8Array:
        return (resized if self.fit == "resize" else centre_crop)(piece, self.size_px)


def preparation(
    *,
    size_px: int = 64,
    channels: Sequence[int | str] | int | str | None = None,
    fit: str = "resize",
    tile: int | None = None,
    value_range: str | Sequence[float] = "none",
    crop_px: int | None = None,
    edge: str = "drop",
) -> Preparation:
    """Check how images are to be prepared.

    Args:
        size_px: side of the stored images, 1 to 16384.
        channels: channels to keep, by number from 0 or by name; also as the command line writes them.
        fit: ``"resize"`` or ``"crop"``.
        tile: side of the tiles, 1 to 16384, or None.
        value_range: ``"none"``, ``"minmax"``, ``"percentile"`` or (low, high); also ``"LOW:HIGH"``.
        crop_px: side of the square around each cell (default: ``size_px``).
        edge: ``"drop"`` or ``"pad"``.

    Returns:
        The preparation.

    Raises:
        InputError: for a value that is none of these.
    """
    crop_px = size_px if crop_px is None else crop_px
    for name, value in (("size_px", size_px), ("tile", tile), ("crop_px", crop_px)):
        if name != "tile" or value is not None:
            check_integer(name, value, 16384, least=1)
    if fit not in ("resize", "crop"):
        raise InputError(f"fit must be resize or crop, got {fit!r}")
    if edge not in ("drop", "pad"):
        raise InputError(f"edge must be drop or pad, got {edge!r}")
    return Preparation(
        size_px=int(size_px),
        channels=_parse_channels(channels),
        fit=fit,  # type: ignore[arg-type]
        tile=None if tile is None else int(tile),
        value_range=_parse_range(value_range),
        crop_px=int(crop_px),
        edge=edge,  # type: ignore[arg-type]
    )


def _parse_channels(channels: Sequence[int | str] | int | str | None) -> tuple[int | str, ...] | None:
    if channels is None:
        return None
    wrong = InputError(
        f"channels must be different names or whole numbers, such as 0,2 or DNA,AGP, got {channels!r}"
    )
    parts = channels.split(",") if isinstance(channels, str) else channels
    found: list[int | str] = []
    if not isinstance(parts, Sequence):
        parts = [parts]
    for part in parts:
        text = part.strip() if isinstance(part, str) else part
        if isinstance(text, str) and text.isdecimal():
            found.append(int(text))
        elif isinstance(text, str) and text and not text.lstrip("+-").replace(".", "").isdecimal():
            found.append(text)
        elif isinstance(text, int | np.integer) and not isinstance(text, bool) and text >= 0:
            found.append(int(text))
        else:
            raise wrong
    if not found or len({str(each).lower() for each in found}) < len(found):
        raise wrong
    return tuple(found)


def _parse_range(value_range: str | Sequence[float]) -> str | tuple[float, float]:
    wrong = InputError(
        "--range (value_range) must be none, minmax, percentile or LOW:HIGH with LOW < HIGH "
        f"(such as 100:4095), got {value_range!r}"
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
    """Map values to 0..255.

    Args:
        pixels: uint8 or uint16 (C, H, W).
        value_range: ``"none"`` leaves 8-bit values as they are; (low, high) maps that range; ``"minmax"`` and
            ``"percentile"`` take low and high from the image, channel by channel. A channel of one value
            becomes 0.

    Returns:
        uint8 (C, H, W).

    Raises:
        InputError: for 16-bit values with ``"none"``: there is no right answer then.
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
        ends = [np.percentile(channel, PERCENTILES) for channel in flat]
        low, high = np.array(ends, dtype=np.float64).T
    scale = 255.0 / np.where(high > low, high - low, np.inf)
    out = np.empty(flat.shape, np.uint8)
    for channel in range(len(flat)):
        for start in range(0, flat.shape[1], _STRIP):  # in strips: the products are eight bytes a pixel
            strip = slice(start, start + _STRIP)
            scaled = (flat[channel, strip] - low[channel]) * scale[channel]
            out[channel, strip] = np.clip(np.rint(scaled), 0, 255)
    return out.reshape(pixels.shape)


def cut_tiles(pixels: UInt8Array, tile: int) -> list[UInt8Array]:
    """Cut an image into square tiles, row by row from the top left; what is left at the far edges goes.

    Args:
        pixels: uint8 (C, H, W).
        tile: side of the tiles in pixels.

    Returns:
        uint8 (C, tile, tile) each.

    Raises:
        InputError: for an image smaller than a tile.
    """
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


def cut_cells(
    pixels: UInt8Array, points: Float64Array, crop_px: int, *, edge: Edge
) -> tuple[list[UInt8Array], Int64Array]:
    """Cut a square around each cell, unscaled.

    Args:
        pixels: uint8 (C, H, W).
        points: (cells, 2), x and y of their centres in pixels.
        crop_px: side of the square.
        edge: ``"drop"`` leaves out cells whose square leaves the image, ``"pad"`` fills it up with 0.

    Returns:
        uint8 (C, crop_px, crop_px) each, and the numbers of the cells.
    """
    channels, height, width = pixels.shape
    squares, kept = [], []
    for number, (x, y) in enumerate(points):
        left, top = (int(np.floor(centre + 0.5)) - crop_px // 2 for centre in (x, y))
        inside = top >= 0 and left >= 0 and top + crop_px <= height and left + crop_px <= width
        if inside:
            square = pixels[:, top : top + crop_px, left : left + crop_px]
        elif edge == "pad" and 0 <= x < width and 0 <= y < height:
            square = np.zeros((channels, crop_px, crop_px), np.uint8)
            part = pixels[:, max(top, 0) : top + crop_px, max(left, 0) : left + crop_px]
            start = max(-top, 0), max(-left, 0)
            square[:, start[0] : start[0] + part.shape[1], start[1] : start[1] + part.shape[2]] = part
        else:
            continue
        squares.append(square)
        kept.append(number)
    return squares, np.array(kept, dtype=np.int64)


def resized(pixels: UInt8Array, size_px: int) -> UInt8Array:
    """Resize an image (bilinear, antialiased, as Pillow does it); what is not square is squeezed.

    Args:
        pixels: uint8 (C, H, W).
        size_px: side of the result.

    Returns:
        uint8 (C, size_px, size_px).
    """
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
    """Cut the centre out of an image, unscaled.

    Args:
        pixels: uint8 (C, H, W).
        size_px: side of the result.

    Returns:
        uint8 (C, size_px, size_px).

    Raises:
        InputError: for a smaller image.
    """
    _, height, width = pixels.shape
    if height < size_px or width < size_px:
        raise InputError(
            f"the image must have at least {size_px} x {size_px} px to crop from, got {height} x {width}"
        )
    top, left = (height - size_px) // 2, (width - size_px) // 2
    return pixels[:, top : top + size_px, left : left + size_px]
