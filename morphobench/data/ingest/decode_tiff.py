"""Decoding of TIFF and OME-TIFF.

Pages, planes or samples are channels, whichever there are; alpha is dropped; "white is zero" is inverted. Of
several series of different sizes (a pyramid, a thumbnail) the first is read. Series of one size are a stack
of pages where each is one page, and images of their own elsewhere, for which the caller must ask. A
three-dimensional array without named axes is (H, W, C), with a note, where its last axis is at most 16 and
the shortest.

A stack of pages whose axis has no name may be channels or images of their own. Up to MOST_CHANNEL_PAGES pages
are taken for channels, with a note; more are refused unless the caller says what they are. ImageJ's channels
without labels count as unnamed, because programs write stacks of any kind so.
"""

from __future__ import annotations

import html
import io
import logging
import lzma
import math
import re
import threading
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from morphobench.data.ingest.limits import MAX_COST_BYTES, check_cost, check_size
from morphobench.data.ingest.pillow import pillow_frame
from morphobench.errors import InputError

MOST_CHANNEL_PAGES = 5
"""Cell Painting has 5 channels; few assays have more, few stacks of images have less."""

PAGES = "--pages (pages)"
"""How an error begins that asks the caller what the pages of a TIFF are."""

_APART = "; --pages images reads each as an image of its own"
_IMAGE_END = re.compile(r"</(?:\w+:)?Image>")
_CHANNEL = re.compile(r"<(?:\w+:)?Channel\b([^>]*)>")
_NAME = re.compile(r"\bName=\"([^\"]*)\"")
_DEFLATE, _LZMA = (8, 32946), 34925  # numbers of compressions in a TIFF
_MAX_DEFLATE_RATIO = 1032
_BLOCK = 1 << 20


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
            raise InputError(f"the TIFF must be whole, but it cannot be read: {self._local.last}")


_complaints = _Complaints()
logging.getLogger("tifffile").addHandler(_complaints)


@dataclass(frozen=True)
class DecodedTiff:
    """The images of a TIFF.

    Attributes:
        images: (P, C, H, W).
        channel_names: from the OME header or ImageJ's labels; empty where there are none.
        note: how a stack without names was taken; empty for nothing.
    """

    images: NDArray[Any]
    channel_names: tuple[str, ...]
    note: str


def tiff_cost(file: io.BufferedReader) -> int:
    """Estimate the memory that decoding takes.

    Args:
        file: the TIFF.

    Returns:
        Bytes.
    """
    with tifffile.TiffFile(file, name="image.tif", _multifile=False) as tiff:
        return _cost(tiff)


def decode_tiff(file: io.BufferedReader, *, pages: Literal["images", "channels"] | None) -> DecodedTiff:
    """Decode a TIFF.

    Args:
        file: the TIFF.
        pages: what a stack of pages is; None: what its header says.

    Returns:
        Its images.

    Raises:
        InputError: for a file that is damaged, too large or of another kind.
    """
    _complaints.clear()
    # Opened by its descriptor: an OME header may name other files, even pipes, and they are not followed.
    with tifffile.TiffFile(file, name="image.tif", _multifile=False) as tiff:
        decoded = _decode(tiff, file, pages)
    _complaints.raise_last()
    return decoded


def _cost(tiff: tifffile.TiffFile) -> int:
    if not tiff.series:
        return 0
    size = 0
    for series in _series_to_read(tiff):
        size += math.prod(series.shape) * int(np.dtype(series.dtype).itemsize)
    return 3 * size


def _series_to_read(tiff: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """All series where they are of one size, else the first."""
    first = tiff.series[0]
    alike = all(other.shape == first.shape and other.dtype == first.dtype for other in tiff.series)
    return list(tiff.series) if alike else [first]


def _decode(
    tiff: tifffile.TiffFile, file: io.BufferedReader, pages: Literal["images", "channels"] | None
) -> DecodedTiff:
    if not tiff.series:
        raise InputError("the TIFF must hold an image, got none")
    series, page = tiff.series[0], tiff.pages.first
    if page.photometric in (tifffile.PHOTOMETRIC.SEPARATED, tifffile.PHOTOMETRIC.CIELAB):
        raise InputError(f"the image must be grey or RGB, got {tifffile.PHOTOMETRIC(page.photometric).name}")
    check_size(page.imagelength, page.imagewidth)
    cost = _cost(tiff)
    check_cost(cost)
    if tiff.is_ome and series.kind != "ome":
        raise InputError("the OME-TIFF must hold all its pixels, got one that refers to other files")
    if any(each is None for each in series.pages):
        raise InputError("the TIFF must hold all its pages, got one with pages missing")
    read = _series_to_read(tiff)
    if len(read) > 1 and pages != "images" and (tiff.is_ome or len(series.shape) > 2):
        raise InputError(f"{PAGES} must be images for {len(read)} images in one file, got {pages or 'none'}")
    for each in read:
        _check_segments(each, file)
    array, axes = _squeezed(*_array(read, file))
    if tiff.is_imagej and axes[0] == "C" and not _channel_names(tiff, len(array)):
        axes = "I" + axes[1:]
    apart = pages == "images" and len(axes) > 2 and axes[0] in "QITZS"
    note = "" if apart else _note(array, axes, pages)
    images = np.stack([_channels_first(one, axes[apart:]) for one in (array if apart else array[None])])
    if "S" in axes and page.extrasamples and page.samplesperpixel == images.shape[1]:
        kinds = (0,) * (images.shape[1] - len(page.extrasamples)) + tuple(page.extrasamples)
        images = images[:, [kind not in (1, 2) for kind in kinds]]  # 1 and 2 are the kinds of alpha
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        images = ~images
    return DecodedTiff(images, _channel_names(tiff, images.shape[1]) if "C" in axes else (), note)


def _array(read: list[tifffile.TiffPageSeries], file: io.BufferedReader) -> tuple[NDArray[Any], str]:
    """The pixels of series of one size, and the names of their axes."""
    pages = sum(len(series.pages) for series in read)
    if read[0].keyframe.photometric == tifffile.PHOTOMETRIC.PALETTE:
        return _by_pillow(file, pages), "QYXS"
    try:
        if len(read) == 1:
            return read[0].asarray(), read[0].axes
        return np.stack([series.asarray() for series in read]), "I" + read[0].axes
    except ValueError as error:
        # tifffile needs a further package for LZW and JPEG compression; Pillow has both built in.
        if "imagecodecs" not in str(error):
            raise
        return _by_pillow(file, pages), "QYXS"


def _squeezed(array: NDArray[Any], axes: str) -> tuple[NDArray[Any], str]:
    kept = [(axis, size) for axis, size in zip(axes, array.shape, strict=True) if size > 1 or axis in "YX"]
    return array.reshape([size for _, size in kept]), "".join(axis for axis, _ in kept)


def _note(array: NDArray[Any], axes: str, pages: Literal["images", "channels"] | None) -> str:
    """What a reader should know of how pages are read that are not images of their own."""
    if pages == "images" and "C" in axes:
        return "the header says that pages are channels, and they were read so"
    if pages is not None or len(axes) != 3 or axes[0] not in "QI":
        return ""
    count, _, last = array.shape
    if _is_last(array, axes):
        return f"the last axis was read as {last} channels (--pages images reads {count} pages instead)"
    if axes[-1] != "S" and count > MOST_CHANNEL_PAGES:
        raise InputError(
            f"{PAGES} must be images (each page is one) or channels (all pages are one image) for {count} "
            "unnamed pages, got none"
        )
    return f"{count} pages were read as channels (--pages images reads each as an image)"


def _is_last(array: NDArray[Any], axes: str) -> bool:
    return axes[0] == "Q" and array.shape[-1] <= 16 and array.shape[-1] < min(array.shape[:2])


def _channels_first(array: NDArray[Any], axes: str) -> NDArray[Any]:
    if array.ndim == 2:
        return array[None]
    if array.ndim != 3:
        raise InputError(
            f"the image must have channels, height and width, got axes {axes} of shape {array.shape}"
            + (_APART if axes[0] in "QITZ" else "")
        )
    if axes[-1] == "S" or _is_last(array, axes):
        return np.moveaxis(array, -1, 0)
    if axes[0] in "TZ":
        what = {"T": "time points", "Z": "focal planes"}[axes[0]]
        raise InputError(
            f"the image must have one time point and one focal plane, got {len(array)} {what}{_APART}"
        )
    return array


def _channel_names(tiff: tifffile.TiffFile, channels: int) -> tuple[str, ...]:
    names: list[str] = []
    if tiff.is_ome and tiff.ome_metadata:
        found = _CHANNEL.finditer(_IMAGE_END.split(tiff.ome_metadata, maxsplit=1)[0])
        names = [html.unescape(name[1]) for each in found if (name := _NAME.search(each[1]))]
    elif tiff.imagej_metadata:
        labels = tiff.imagej_metadata.get("Labels") or ()
        names = [str(label) for label in ([labels] if isinstance(labels, str) else labels)]
    names = [name.strip() for name in names]
    return tuple(names) if len(names) == channels and len(set(names)) == channels and all(names) else ()


def _by_pillow(file: io.BufferedReader, pages: int) -> NDArray[Any]:
    """The first pages of a TIFF, (P, H, W, C)."""
    file.seek(0)
    with Image.open(file, formats=["TIFF"]) as image:
        frames = []
        for number in range(min(getattr(image, "n_frames", 1), pages)):
            image.seek(number)
            frames.append(np.moveaxis(pillow_frame(image), 0, -1))
    return np.stack(frames)


def _check_segments(series: tifffile.TiffPageSeries, file: io.BufferedReader) -> None:
    """Check that no compressed part becomes larger than memory allows; decoders here have no limit."""
    for page in series.pages:
        if page is None or page.compression not in (*_DEFLATE, _LZMA):
            continue
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            if page.compression == _LZMA:
                _check_segment(file, offset, count, lzma.LZMADecompressor(), damage=lzma.LZMAError)
            elif count * _MAX_DEFLATE_RATIO > MAX_COST_BYTES // 3:
                _check_segment(file, offset, count, zlib.decompressobj(), damage=zlib.error)


def _check_segment(
    file: io.BufferedReader, offset: int, count: int, decompressor: Any, *, damage: type[Exception]
) -> None:
    file.seek(offset)
    total = 0
    while count > 0 and (block := file.read(min(count, _BLOCK))):
        count -= len(block)
        try:
            # at most _BLOCK bytes come out at a time, whatever goes in
            total += len(decompressor.decompress(block, _BLOCK))
            while not decompressor.eof and (
                rest := getattr(decompressor, "unconsumed_tail", b"")
                or not getattr(decompressor, "needs_input", True)
            ):
                total += len(decompressor.decompress(rest if isinstance(rest, bytes) else b"", _BLOCK))
                if total > MAX_COST_BYTES // 3:
                    raise InputError(
                        "the TIFF must hold what it declares, got compressed data of more pixels"
                    )
        except damage as error:
            raise InputError(f"the TIFF must be whole, but its data are damaged: {error}") from error
        if decompressor.eof:
            return
