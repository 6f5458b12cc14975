"""Decodes one image file into an array (C, H, W): JPEG, PNG and TIFF, told apart by their first bytes.

What comes out, and what is refused rather than guessed:

* grey JPEG and PNG: 1 channel; colour: 3. Alpha is dropped, not blended. 1-bit images become 0 and 255. A
  palette becomes grey where all its colours are grey, else colour.
* 8- and 16-bit TIFF: pages, planes or samples are channels, whichever there are; alpha is dropped; "white is
  zero" is turned round. Of several series (a pyramid, a thumbnail) the first is read, unless all are single
  pages of one size: then they are channels. A three-dimensional array without named axes is (H, W, C) where
  its last axis is at most 16 and the shortest, else (C, H, W).
* Refused: CMYK, 16-bit colour PNG (the decoder would drop half the bits), floating point and signed values,
  more than 64 channels, and pictures larger than MAX_PIXELS.

Orientation tags are not applied: microscopes write none, and training pipelines ignore them.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from morphobench.errors import InputError

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]

MAX_PIXELS = 89_478_485
"""Most pixels of a picture: Pillow's own limit against decompression bombs."""

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})
OTHER_IMAGE_EXTENSIONS = frozenset(
    {".bmp", ".gif", ".webp", ".jp2", ".czi", ".nd2", ".lif", ".oib", ".vsi", ".dib", ".c01"}
)
_MAX_CHANNELS = 64
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class _Complaints(logging.Handler):
    """tifffile logs some kinds of damage and goes on; here each is kept as an error of its thread."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._local = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        self._local.last = record.getMessage()

    def clear(self) -> None:
        self._local.last = None

    def raise_last(self) -> None:
        if self._local.last is not None:
            raise InputError(f"cannot be read: {self._local.last}")


_complaints = _Complaints()
logging.getLogger("tifffile").addHandler(_complaints)


def decode(path: Path) -> Pixels:
    """uint8 or uint16 (C, H, W) of the image file ``path``; InputError naming it where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(32)
        if not start:
            raise InputError("empty file")
        if start.startswith(_TIFF_MAGIC):
            _complaints.clear()
            pixels = _decode_tiff(path)
            _complaints.raise_last()
            return _checked(pixels)
        if start.startswith(b"\xff\xd8\xff"):
            return _checked(_decode_with_pillow(path, "JPEG"))
        if start.startswith(b"\x89PNG\r\n\x1a\n"):
            # Bytes 24 and 25 of a PNG are the bit depth and the colour type (0 is grey).
            if len(start) > 25 and start[24] == 16 and start[25] != 0:
                raise InputError("16-bit colour PNG cannot be read in full; convert it to TIFF")
            return _checked(_decode_with_pillow(path, "PNG"))
        raise InputError("the file must be JPEG, PNG or TIFF, got something else")
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:
        # Decoders raise anything from struct.error to ZeroDivisionError on damaged files.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read: {reason}") from error


def _checked(pixels: NDArray[Any]) -> Pixels:
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind != "u" or pixels.dtype.itemsize > 2:
        raise InputError(f"the image must have 8- or 16-bit unsigned values, got {pixels.dtype}")
    if 0 in pixels.shape or pixels.shape[0] > _MAX_CHANNELS:
        raise InputError(
            f"the image must have 1 to {_MAX_CHANNELS} channels of at least 1 pixel, got shape {pixels.shape}"
        )
    return cast("Pixels", np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("=")))


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise InputError(f"the image must have at most {MAX_PIXELS} pixels, got {height} x {width}")


def _decode_with_pillow(path: Path, kind: str) -> NDArray[Any]:
    with Image.open(path, formats=[kind]) as image:
        frames = [_frame(image)]
        # Only TIFF has further channels in further frames; those of an animation are not channels.
        for number in range(1, getattr(image, "n_frames", 1) if kind == "TIFF" else 1):
            image.seek(number)
            frames.append(_frame(image))
    return np.concatenate(frames)


def _frame(image: Image.Image) -> NDArray[Any]:
    _check_size(image.height, image.width)
    if image.mode == "P":
        palette = np.array(image.convert("RGB").getpalette() or image.getpalette("RGB")).reshape(-1, 3)
        grey = bool((palette == palette[:, :1]).all())
        array = np.asarray(image.convert("L" if grey else "RGB"))
    elif image.mode in ("1", "L", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "I;16", "I;16B", "I;16L"):
        array = np.asarray(image)
        bands = {"LA": 1, "La": 1}.get(image.mode, 3)
        array = array[..., :bands] if array.ndim == 3 else array
    else:
        raise InputError(f"the image must be grey or RGB, got mode {image.mode}")
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def _decode_tiff(path: Path) -> NDArray[Any]:
    with tifffile.TiffFile(path) as tiff:
        if not tiff.series:
            raise InputError("the TIFF must hold an image, got none")
        series, page = tiff.series[0], tiff.pages.first
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            return _decode_with_pillow(path, "TIFF")
        if page.photometric in (tifffile.PHOTOMETRIC.SEPARATED, tifffile.PHOTOMETRIC.CIELAB):
            raise InputError(
                f"the image must be grey or RGB, got {tifffile.PHOTOMETRIC(page.photometric).name}"
            )
        _check_size(page.imagelength, page.imagewidth)
        if np.prod(series.shape, dtype=float) > MAX_PIXELS * _MAX_CHANNELS:
            raise InputError(
                f"the image must have at most {MAX_PIXELS} pixels in 64 channels, got shape {series.shape}"
            )
        try:
            array, axes = series.asarray(), series.axes
            if len(tiff.series) > 1 and all(
                other.shape == array.shape == array.shape[-2:] and other.dtype == array.dtype
                for other in tiff.series
            ):
                array, axes = np.stack([other.asarray() for other in tiff.series]), "C" + axes
        except ValueError as error:
            # tifffile needs a further package for LZW and JPEG compression; Pillow has both built in.
            if "imagecodecs" not in str(error):
                raise
            return _decode_with_pillow(path, "TIFF")
        channels = _channels_first(array, axes)
        if "S" in series.axes and page.extrasamples and page.samplesperpixel == len(channels):
            kinds = (0,) * (len(channels) - len(page.extrasamples)) + tuple(page.extrasamples)
            channels = channels[[kind not in (1, 2) for kind in kinds]]  # 1 and 2 are the kinds of alpha
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            channels = ~channels
        return channels


def _channels_first(array: NDArray[Any], axes: str) -> NDArray[Any]:
    kept = [(axis, size) for axis, size in zip(axes, array.shape, strict=True) if size > 1 or axis in "YX"]
    names = "".join(axis for axis, _ in kept)
    array = array.reshape([size for _, size in kept])
    if array.ndim == 2:
        return array[None]
    if array.ndim != 3:
        raise InputError(
            f"the image must have channels, height and width, got axes {axes} of shape {array.shape}"
        )
    if names[-1] == "S":
        return np.moveaxis(array, -1, 0)
    unnamed = names[0] in "QI"
    if unnamed and array.shape[-1] <= 16 and array.shape[-1] < min(array.shape[:2]):
        return np.moveaxis(array, -1, 0)
    return array
