"""Decoding of JPEG and PNG with Pillow, and the checks that Pillow leaves out."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from morphobench.data.ingest.limits import check_size
from morphobench.errors import InputError

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3


def check_png(file: io.BufferedReader) -> None:
    """Check that a PNG is whole: Pillow stores black rows where pixels are missing, and ignores some damage.

    Args:
        file: the file.

    Raises:
        InputError: for a file that is cut off or damaged, has no palette, or 16-bit colours.
    """
    palette, header, found = False, b"", 0
    inflate = zlib.decompressobj()
    file.seek(len(PNG_MAGIC))
    for kind, block in _png_blocks(file):
        if kind == b"IHDR":
            header = block
            if block[8] == 16 and block[9] != 0:
                raise InputError("the PNG must be 8-bit where it is in colour, got 16-bit colour: use TIFF")
            check_size(*struct.unpack(">II", block[4:8] + block[:4]))
        elif kind == b"PLTE":
            palette = True
        elif kind == b"IDAT":
            while block and not inflate.eof:
                found += len(inflate.decompress(block, 1 << 20))
                block = inflate.unconsumed_tail
    if not header:
        raise InputError("the PNG must begin with its header, got none")
    if header[9] == _PALETTE and not palette:
        raise InputError("the PNG must have the palette that its pixels refer to, got none")
    if found < (expected := _raw_bytes(header)):
        raise InputError(f"the PNG must hold {expected} bytes of pixels, got {found}")
    file.seek(0)


def _png_blocks(file: io.BufferedReader) -> Iterator[tuple[bytes, bytes]]:
    """The parts of a PNG up to its end mark, in blocks of bounded size; their checksums are compared."""
    kind = b""
    while kind != b"IEND":
        head = file.read(8)
        if len(head) < 8:
            raise InputError("the PNG must end with its end mark, got a file that is cut off")
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IHDR" and length != 13:
            raise InputError("the PNG must have a header of 13 bytes, got a damaged one")
        checksum = zlib.crc32(kind)
        while length:
            block = file.read(min(length, 1 << 20))
            if not block:
                raise InputError("the PNG must end with its end mark, got a file that is cut off")
            length -= len(block)
            checksum = zlib.crc32(block, checksum)
            yield kind, block
        critical = not kind[0] & 0x20  # a capital letter: pixels depend on it
        if struct.pack(">I", checksum) != file.read(4) and critical:
            raise InputError(f"the PNG must match its checksums, got a damaged part {kind.decode('latin-1')}")


def _raw_bytes(header: bytes) -> int:
    """Bytes of the pixels and of the filter of each row, before compression."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0)
    passes = [(0, 0, 1, 1)]
    if interlaced:  # Adam7: first column and row of each pass, and their steps
        passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
    total = 0
    for left, top, step_x, step_y in passes:
        columns, rows = -(-(width - left) // step_x), -(-(height - top) // step_y)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def pillow_cost(file: io.BufferedReader, kind: str) -> int:
    """Estimate the memory that decoding takes: Pillow's image, the array and its copies.

    Args:
        file: the file.
        kind: JPEG or PNG.

    Returns:
        Bytes.

    Raises:
        InputError: for an image of too many pixels.
    """
    with Image.open(file, formats=[kind]) as image:
        bands = len(image.getbands())
        height, width = image.height, image.width
        item = 2 if image.mode.startswith("I") else 1
    file.seek(0)
    check_size(height, width)
    return height * width * (item if bands == 1 else 4) + 2 * height * width * bands * item


def decode_with_pillow(file: io.BufferedReader, kind: str) -> NDArray[Any]:
    """Decode a JPEG or PNG.

    Args:
        file: the file.
        kind: JPEG or PNG.

    Returns:
        (C, H, W).

    Raises:
        InputError: for a mode that is neither grey nor RGB.
    """
    with Image.open(file, formats=[kind]) as image:
        return pillow_frame(image)


def pillow_frame(image: Image.Image) -> NDArray[Any]:
    """Convert the current frame of a Pillow image.

    Args:
        image: the image.

    Returns:
        (C, H, W).

    Raises:
        InputError: for a mode that is neither grey nor RGB.
    """
    check_size(image.height, image.width)
    if image.mode == "P":
        palette = np.array(image.convert("RGB").getpalette() or image.getpalette("RGB")).reshape(-1, 3)
        if np.asarray(image).max(initial=0) >= len(palette):
            raise InputError(f"the image must use the {len(palette)} colours of its palette, got more")
        grey = bool((palette == palette[:, :1]).all())
        array = np.asarray(image.convert("L" if grey else "RGB"))
    elif image.mode in ("1", "L", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "I;16", "I;16B", "I;16L"):
        array = np.asarray(image)
        bands = {"LA": 1, "La": 1}.get(image.mode, 3)
        array = array[..., :bands] if array.ndim == 3 else array
    else:
        raise InputError(f"the image must be grey or RGB, got mode {image.mode}")
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
