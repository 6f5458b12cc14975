"""Decoding of TIFF and OME-TIFF.

Pages, planes or samples are channels, whichever there are; alpha is dropped; "white is zero" is inverted. Of
several series (a pyramid, a thumbnail) the first is read, unless all are single pages of one size: then they
are a stack of pages. A three-dimensional array without named axes is (H, W, C) where its last axis is at most
16 and the shortest.

A stack of pages whose axis has no name may be channels or images of their own. Up to MOST_CHANNEL_PAGES pages
are taken for channels, with a note; more are refused unless the caller says what they are.
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

from morphobench.data.ingest.limits import MAX_CHANNELS, MAX_COST_BYTES, check_cost, check_size
from morphobench.data.ingest.pillow import pillow_frame
from morphobench.errors import InputError

MOST_CHANNEL_PAGES = 5
"""Cell Painting has 5 channels; few assays have more, few stacks of images have less."""

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
    for series in tiff.series if _is_series_of_pages(tiff) else tiff.series[:1]:
        size += math.prod(series.shape) * int(np.dtype(series.dtype).itemsize)
    return 3 * size


def _is_series_of_pages(tiff: tifffile.TiffFile) -> bool:
    first = tiff.series[0]
    return len(tiff.series) > 1 and all(
        other.shape == first.shape == first.shape[-2:] and other.dtype == first.dtype for other in tiff.series
    )


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
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        return DecodedTiff(_by_pillow(file)[None], (), "")
    if tiff.is_ome and series.kind != "ome":
        raise InputError("the OME-TIFF must hold all its pixels, got one that refers to other files")
    if any(each is None for each in series.pages):
        raise InputError("the TIFF must hold all its pages, got one with pages missing")
    for each in tiff.series if _is_series_of_pages(tiff) else [series]:
        _check_segments(each, file)
    try:
        if _is_series_of_pages(tiff):
            array, axes = np.stack([other.asarray() for other in tiff.series]), "I" + series.axes
        else:
            array, axes = series.asarray(), series.axes
    except ValueError as error:
        # tifffile needs a further package for LZW and JPEG compression; Pillow has both built in.
        if "imagecodecs" not in str(error):
            raise
        array, axes = _by_pillow(file), "QYX"
        if page.samplesperpixel > 1:
            axes = "CYX"
    stack = _is_stack(axes, array.shape)
    channels = _channels_first(array, axes)
    if "S" in axes and page.extrasamples and page.samplesperpixel == len(channels):
        kinds = (0,) * (len(channels) - len(page.extrasamples)) + tuple(page.extrasamples)
        channels = channels[[kind not in (1, 2) for kind in kinds]]  # 1 and 2 are the kinds of alpha
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        channels = ~channels
    note = ""
    if stack and pages is None:
        if len(channels) > MOST_CHANNEL_PAGES:
            raise InputError(
                f"--pages (pages) must be images or channels for {len(channels)} unnamed pages, got none"
            )
        note = f"{len(channels)} pages were read as channels (--pages images reads each as an image)"
    if pages == "images" and (stack or "C" not in axes):
        return DecodedTiff(channels[:, None], (), "")
    return DecodedTiff(channels[None], _channel_names(tiff, len(channels)), note)


def _is_stack(axes: str, shape: tuple[int, ...]) -> bool:
    """Whether an array is a stack of pages along an axis without a name."""
    kept = [(axis, size) for axis, size in zip(axes, shape, strict=True) if size > 1 or axis in "YX"]
    return len(kept) == 3 and kept[0][0] in "QI" and not _is_last(kept)


def _is_last(kept: list[tuple[str, int]]) -> bool:
    sizes = [size for _, size in kept]
    return kept[0][0] in "QI" and sizes[-1] <= 16 and sizes[-1] < min(sizes[:2])


def _channels_first(array: NDArray[Any], axes: str) -> NDArray[Any]:
    kept = [(axis, size) for axis, size in zip(axes, array.shape, strict=True) if size > 1 or axis in "YX"]
    array = array.reshape([size for _, size in kept])
    if array.ndim == 2:
        return array[None]
    if array.ndim != 3:
        raise InputError(
            f"the image must have channels, height and width, got axes {axes} of shape {array.shape}"
        )
    if kept[-1][0] == "S" or _is_last(kept):
        return np.moveaxis(array, -1, 0)
    if kept[0][0] in "TZ":
        what = {"T": "time points", "Z": "focal planes"}[kept[0][0]]
        raise InputError(f"the image must have one time point and one focal plane, got {kept[0][1]} {what}")
    return array


def _channel_names(tiff: tifffile.TiffFile, channels: int) -> tuple[str, ...]:
    names: list[str] = []
    if tiff.is_ome and tiff.ome_metadata:
        found = _CHANNEL.finditer(tiff.ome_metadata)
        names = [html.unescape(name[1]) for each in found if (name := _NAME.search(each[1]))]
    elif tiff.imagej_metadata:
        labels = tiff.imagej_metadata.get("Labels") or ()
        names = [str(label) for label in ([labels] if isinstance(labels, str) else labels)]
    names = [name.strip() for name in names]
    return tuple(names) if len(names) == channels and len(set(names)) == channels and all(names) else ()


def _by_pillow(file: io.BufferedReader) -> NDArray[Any]:
    file.seek(0)
    with Image.open(file, formats=["TIFF"]) as image:
        frames = []
        for number in range(min(getattr(image, "n_frames", 1), MAX_CHANNELS + 1)):
            image.seek(number)
            frames.append(pillow_frame(image))
    return np.concatenate(frames)


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
