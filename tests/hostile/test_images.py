"""Damaged, lying and foreign image files: rejected with a reason or read in full, never stored in part."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from morphobench.data.ingest.decode import decode
from morphobench.errors import InputError
from tests.hostile.conftest import WHOLE

RANDOM = np.random.default_rng(0)
GREY: NDArray[np.uint8] = RANDOM.integers(0, 256, (24, 30), dtype=np.uint8)
COLOUR: NDArray[np.uint8] = RANDOM.integers(0, 256, (24, 30, 3), dtype=np.uint8)
CUTS = 40 if WHOLE else 5
FLIPS = 60 if WHOLE else 6


def _save(array: NDArray[Any], **how: Any) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(array).save(path, **how)


def _palette(path: Path) -> None:
    Image.fromarray(COLOUR).quantize(32).save(path)


def _tiff(array: NDArray[Any], **how: Any) -> Callable[[Path], object]:
    return lambda path: tifffile.imwrite(path, array, **how)


KINDS: dict[str, Callable[[Path], object]] = {
    "grey.png": _save(GREY),
    "colour.png": _save(COLOUR),
    "palette.png": _palette,
    "deep.png": _save(GREY.astype(np.uint16) * 257),
    "bit.png": _save(GREY > 127),
    "grey.jpg": _save(GREY),
    "colour.jpg": _save(COLOUR),
    "progressive.jpg": _save(COLOUR, progressive=True),
    "grey.tif": _tiff(GREY),
    "packed.tif": _tiff(GREY, compression="zlib"),
    "lzw.tif": lambda path: Image.fromarray(GREY).save(path, compression="tiff_lzw"),
    "tiled.tif": _tiff(GREY, tile=(16, 16)),
    "planes.ome.tif": _tiff(np.stack([GREY, GREY]), metadata={"axes": "CYX"}),
}


def _try(path: Path) -> NDArray[Any] | None:
    """Pixels, or None where the file was refused in our own words."""
    try:
        return decode(path)
    except InputError as error:
        message = str(error)
    assert message.startswith(str(path))
    assert len(message) < 600
    return None


@pytest.mark.parametrize("cut", range(CUTS))
@pytest.mark.parametrize("name", KINDS)
def test_cut_off(tmp_path: Path, name: str, cut: int, case: Callable[[str], None]) -> None:
    path = tmp_path / name
    KINDS[name](path)
    whole, data = decode(path), path.read_bytes()
    # the last cuts are near the end, where decoders are most forgiving
    share = [0.95, 0.99, 0.5, 0.05, 0.999, *np.linspace(0.01, 0.998, CUTS)][cut]
    path.write_bytes(data[: min(int(share * len(data)), len(data) - 1)])
    found = _try(path)
    assert found is None or np.array_equal(found, whole)
    case("rejected" if found is None else "right")


@pytest.mark.parametrize("seed", range(FLIPS))
@pytest.mark.parametrize("name", KINDS)
def test_changed_bytes(tmp_path: Path, name: str, seed: int, case: Callable[[str], None]) -> None:
    path = tmp_path / name
    KINDS[name](path)
    whole, data = decode(path), bytearray(path.read_bytes())
    random = np.random.default_rng(seed)
    for position in random.integers(0, len(data), 1 + seed % 4):
        data[position] ^= int(random.integers(1, 256))
    path.write_bytes(data)
    found = _try(path)
    if name.endswith(".png"):  # a PNG has checksums: what is read is what was written
        assert found is None or np.array_equal(found, whole)
    case("rejected" if found is None else "right")


@pytest.mark.parametrize("name", KINDS)
def test_bytes_after_the_end(tmp_path: Path, name: str, case: Callable[[str], None]) -> None:
    path = tmp_path / name
    KINDS[name](path)
    whole = decode(path)
    path.write_bytes(path.read_bytes() + b"\0garbage" * 10)
    assert np.array_equal(decode(path), whole)
    case("right")


def _png(header: bytes, *parts: tuple[bytes, bytes]) -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + b"".join(
        part(*each) for each in ((b"IHDR", header), *parts, (b"IEND", b""))
    )


def _ihdr(width: int, height: int, *, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)


def _tiff_of(width: int, height: int, *, compression: int = 1, strip_bytes: int = 4) -> bytes:
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, compression),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, strip_bytes),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 12) + b"\0" * 4 + struct.pack("<H", len(tags)) + entries + b"\0" * 4


ROWS = zlib.compress(b"".join(b"\0" + bytes(row) for row in GREY))
LIARS: dict[str, bytes] = {
    "huge.png": _png(_ihdr(2**31 - 1, 2**31 - 1), (b"IDAT", ROWS)),
    "wide.png": _png(_ihdr(60_000, 60_000), (b"IDAT", ROWS)),
    "zero.png": _png(_ihdr(0, 5), (b"IDAT", ROWS)),
    "few_rows.png": _png(_ihdr(30, 25), (b"IDAT", ROWS)),
    "few_interlaced.png": _png(_ihdr(30, 24, interlaced=1), (b"IDAT", zlib.compress(b"\0" * 300))),
    "no_pixels.png": _png(_ihdr(30, 24)),
    "no_palette.png": _png(_ihdr(30, 24, colour=3), (b"IDAT", ROWS)),
    "short_palette.png": _png(_ihdr(30, 24, colour=3), (b"PLTE", b"\0" * 4), (b"IDAT", ROWS)),
    "odd_depth.png": _png(_ihdr(30, 24, depth=7), (b"IDAT", ROWS)),
    "odd_colour.png": _png(_ihdr(30, 24, colour=5), (b"IDAT", ROWS)),
    "header_only.png": b"\x89PNG\r\n\x1a\n",
    "magic.tif": b"II*\0",
    "loop.tif": b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 0) + struct.pack("<I", 8),
    "huge.tif": _tiff_of(2**31 - 1, 2**31 - 1),
    "larger_than_the_file.tif": _tiff_of(5_000, 5_000),
    "far_offset.tif": b"II*\0" + struct.pack("<I", 2**31),
    "magic.jpg": b"\xff\xd8\xff",
    "huge.jpg": b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xdc\xff\xdc\x03"
    b"\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9",
    "text.png": b"this is no image\n" * 10,
    "page.jpg": b"<html><body>404</body></html>",
    "gif.png": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "zip.tif": b"PK\x03\x04" + b"\0" * 60,
    "pickle.png": b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "empty.png": b"",
    "one_byte.tif": b"I",
    "zeros.png": b"\0" * 1000,
}


@pytest.mark.parametrize("name", LIARS)
def test_lying_headers_and_other_files(tmp_path: Path, name: str, case: Callable[[str], None]) -> None:
    path = tmp_path / name
    path.write_bytes(LIARS[name])
    assert _try(path) is None
    case("rejected")


@pytest.mark.parametrize("kind", ["zlib", "lzma"])
def test_compressed_data_larger_than_declared(tmp_path: Path, kind: str, case: Callable[[str], None]) -> None:
    path = tmp_path / "bomb.tif"
    packed = zlib.compressobj(1) if kind == "zlib" else lzma.LZMACompressor(preset=0)
    parts = [packed.compress(b"\0" * (1 << 22)) for _ in range(40)]
    data = b"".join([*parts, packed.flush()])
    # the header declares 24 x 30 pixels in one strip, which holds 160 MiB
    header = bytearray(_tiff_of(30, 24, compression=8 if kind == "zlib" else 34925, strip_bytes=len(data)))
    struct.pack_into("<I", header, header.index(struct.pack("<HHI", 273, 4, 1)) + 8, len(header))
    path.write_bytes(bytes(header) + data)
    assert _try(path) is None
    case("rejected")
