"""Decoding of one image file into pixels: JPEG, PNG and TIFF, told apart by their first bytes, and by bioio.

What comes out, and what is refused rather than guessed:

* grey JPEG and PNG: 1 channel; colour: 3. Alpha is dropped, not blended. 1-bit images become 0 and 255. A
  palette becomes grey where all its colours are grey, else colour.
* 8- and 16-bit TIFF and OME-TIFF: see ``decode_tiff``. OME-Zarr, CZI and others: see ``decode_bioio``.
* Refused: files that are cut off or damaged, CMYK, 16-bit colour PNG (the decoder would drop half the bits),
  floating point and signed values, more than 64 channels, and images whose decoding takes more than
  MAX_COST_BYTES of memory.

Orientation tags are not applied: microscopes write none, and training pipelines ignore them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from morphobench._util.files import open_regular
from morphobench.data.ingest.decode_bioio import bioio_cost, decode_bioio, is_bioio
from morphobench.data.ingest.decode_tiff import decode_tiff, tiff_cost
from morphobench.data.ingest.limits import MAX_CHANNELS, check_cost
from morphobench.data.ingest.pillow import PNG_MAGIC, check_png, decode_with_pillow, pillow_cost
from morphobench.errors import InputError

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
Pages: TypeAlias = Literal["images", "channels"]

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})
OTHER_IMAGE_EXTENSIONS = frozenset(
    {".bmp", ".gif", ".webp", ".jp2", ".oib", ".vsi", ".dib", ".c01", ".flex", ".ims"}
)
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG_MAGIC = b"\xff\xd8\xff"


@dataclass(frozen=True)
class Decoded:
    """The images of one file.

    Attributes:
        images: uint8 or uint16 (P, C, H, W); P > 1 only where pages are images of their own.
        channel_names: names of the C channels; empty where the file has none.
        note: what a reader should know of how the file was read; empty for nothing.
    """

    images: Pixels
    channel_names: tuple[str, ...] = ()
    note: str = ""


def decode(path: Path) -> Pixels:
    """Decode an image file whose pages, planes or samples are channels.

    Args:
        path: the file.

    Returns:
        uint8 or uint16 (C, H, W).

    Raises:
        InputError: where it cannot be read in full.
    """
    return cast("Pixels", decode_file(path, pages="channels").images[0])


def decode_file(path: Path, *, pages: Pages | None = None) -> Decoded:
    """Decode an image file.

    Args:
        path: the file, or the folder of an OME-Zarr.
        pages: what the pages of a TIFF are; None where the file must say so itself.

    Returns:
        Its images.

    Raises:
        InputError: where it cannot be read in full, with the file's name.
    """
    try:
        if is_bioio(path):
            images, names = decode_bioio(path)
            return Decoded(_checked(images), names)
        with open_regular(path) as file:
            kind = _kind(file)
            if kind == "TIFF":
                tiff = decode_tiff(file, pages=pages)
                return Decoded(_checked(tiff.images), tiff.channel_names, tiff.note)
            if kind == "PNG":
                check_png(file)
            check_cost(pillow_cost(file, kind))
            return Decoded(_checked(decode_with_pillow(file, kind)[None]))
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(f"{path} ") else f"{path}: {text}") from error
    except Exception as error:
        # Decoders raise anything from struct.error to ZeroDivisionError on damaged files.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: the file must be whole, but it cannot be read: {reason}") from error


def decoding_cost(path: Path) -> int:
    """Estimate the memory that decoding a file takes, from its header.

    Args:
        path: the file.

    Returns:
        Bytes; 0 where the header cannot be read, and ``decode_file`` will say why.
    """
    try:
        if is_bioio(path):
            return bioio_cost(path)
        with open_regular(path) as file:
            kind = _kind(file)
            return tiff_cost(file) if kind == "TIFF" else pillow_cost(file, kind)
    except Exception:
        return 0


def _kind(file: io.BufferedReader) -> str:
    start = file.read(8)
    file.seek(0)
    if not start:
        raise InputError("the file must hold an image, got an empty file")
    if start.startswith(_TIFF_MAGIC):
        return "TIFF"
    if start.startswith(PNG_MAGIC):
        return "PNG"
    if start.startswith(_JPEG_MAGIC):
        return "JPEG"
    raise InputError("the file must be JPEG, PNG or TIFF, got something else")


def _checked(images: NDArray[Any]) -> Pixels:
    if images.dtype == np.bool_:
        images = images.astype(np.uint8) * np.uint8(255)
    if images.dtype.kind != "u" or images.dtype.itemsize > 2:
        raise InputError(f"the image must have 8- or 16-bit unsigned values, got {images.dtype}")
    if 0 in images.shape or images.shape[1] > MAX_CHANNELS:
        raise InputError(
            f"the image must have 1 to {MAX_CHANNELS} channels of at least 1 pixel, "
            f"got shape {images.shape[1:]}"
        )
    return cast("Pixels", np.ascontiguousarray(images, dtype=images.dtype.newbyteorder("=")))
