"""Images on disk into an ImageStore: what can be read goes in, the rest is listed with the reason."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from morphobench._util.cpu import available_cores
from morphobench.data.ingest.decode import Pixels, decode
from morphobench.data.ingest.discover import Listing, list_source
from morphobench.data.ingest.preprocess import SIXTEEN_BIT, Preparation, preparation
from morphobench.data.store.reader import ImageStore, existing_store
from morphobench.data.store.writer import StoreWriter
from morphobench.errors import InputError
from morphobench.types import Path as PathLike
from morphobench.types import UInt8Array

_PROBES = 25
_IN_FLIGHT = 16
_Prepared = tuple[UInt8Array, str] | str


def ingest(
    source: PathLike,
    destination: PathLike,
    *,
    metadata: PathLike | pd.DataFrame | None = None,
    size_px: int = 64,
    channels: Sequence[int] | int | str | None = None,
    pattern: str | None = None,
    fit: str = "resize",
    tile: int | None = None,
    value_range: str | Sequence[float] = "none",
    fresh: bool = False,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageStore:
    """Make a store, uint8 (N, C, size_px, size_px), of the images in ``source``.

    ``source``: a folder, or a CSV or Parquet table beside its images. ``metadata``: a table with a column
    ``path`` (relative to ``source``) and Metadata_ columns; by default ``metadata.csv`` or ``.parquet`` in
    the folder, else the folders say what is control and what is drug (``sources.folder_metadata``).
    ``pattern``: ``"study"`` for the study's file names, or a regular expression with named groups.
    ``channels``: which to keep (None: all). ``value_range`` (``--range``): how values become 8-bit:
    ``"none"`` (8-bit images only), ``"minmax"``, ``"percentile"`` (0.3 to 99.7) per image and channel, or a
    fixed (low, high). ``tile``: cut each image into squares of so many px first. ``fit``: ``"resize"``
    (bilinear, antialiased) or ``"crop"`` (the centre) to ``size_px``.

    Files that cannot be read, or whose channels differ from most others', are listed in ``rejected.csv``
    (``store.rejected``). The store made of the same source with the same options is returned as it is; with
    others it is refused, naming them, unless ``fresh``. Nothing is left behind when it is interrupted.
    ``threads``: None for every core. ``progress(done, total)`` counts files. InputError for bad arguments,
    bad tables, and where no image is left.
    """
    plan = preparation(size_px=size_px, channels=channels, fit=fit, tile=tile, value_range=value_range)
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise InputError(f"threads must be a whole number from 1 on, or None, got {threads!r}")
    listing = list_source(source, metadata=metadata, pattern=pattern)
    options = {
        "size_px": plan.size_px,
        "channels": plan.channels,
        "pattern": pattern,
        "fit": plan.fit,
        "tile": plan.tile,
        "range": plan.value_range,
        "source_sha256": listing.sha256,
    }
    made = existing_store(destination, created_by="ingest", options=options, fresh=fresh)
    if made is not None:
        return made
    manifest: dict[str, object] = {"created_by": "ingest", "options": options, "source": str(source)}
    with warnings.catch_warnings():
        # A picture that Pillow takes for a decompression bomb is rejected like any other that cannot be read.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return _ingest(
            listing, Path(destination), plan, manifest, fresh=fresh, threads=threads, progress=progress
        )


def _ingest(
    listing: Listing,
    destination: Path,
    plan: Preparation,
    manifest: dict[str, object],
    *,
    fresh: bool,
    threads: int | None,
    progress: Callable[[int, int], None] | None,
) -> ImageStore:
    paths = list(listing.table["Metadata_Path"])
    wanted = _usual_channels(listing.root, paths, plan)
    rejected = list(listing.rejected)
    rows: list[int] = []
    tiles: list[int] = []
    shapes: Counter[str] = Counter()
    manifest["source_shapes"] = shapes
    workers = threads or available_cores()

    def prepare(path: str) -> _Prepared:
        return _prepare(listing.root, path, plan, wanted)

    with ExitStack() as stack:
        shape = (wanted, plan.size_px, plan.size_px)
        writer = stack.enter_context(
            StoreWriter(destination, image_shape=shape, manifest=manifest, fresh=fresh)
        )
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        # Few files at a time, so that an interrupt need not wait for many and memory stays bounded.
        window = _IN_FLIGHT * workers
        for first in range(0, len(paths), window):
            chunk = paths[first : first + window]
            for row, prepared in enumerate(pool.map(prepare, chunk), start=first):
                if isinstance(prepared, str):
                    rejected.append((paths[row], prepared))
                else:
                    images, source_shape = prepared
                    writer.append(images)
                    rows += [row] * len(images)
                    tiles += range(len(images))
                    shapes[source_shape] += 1
                if progress is not None:
                    progress(row + 1, len(paths))
        if not rows:
            raise _nothing_left(listing, rejected)
        table = listing.table.iloc[rows].reset_index(drop=True)
        if plan.tile is not None:
            table["Metadata_Tile"] = np.array(tiles, dtype=np.int64)
        writer.finish(table, rejected=pd.DataFrame(rejected, columns=["path", "reason"]))
    return ImageStore.open(destination)


def _prepare(root: Path, path: str, plan: Preparation, channels: int) -> _Prepared:
    """Tiles uint8 (T, C, size_px, size_px) and the source's shape as text; or why there are none."""
    try:
        pixels = decode(root / path)
        if plan.channels is None and len(pixels) != channels:
            raise InputError(f"the image must have {channels} channels as most images, got {len(pixels)}")
        shape = "x".join(str(size) for size in pixels.shape)
        return plan.apply(pixels), f"{shape} {pixels.dtype}"
    except InputError as error:
        return str(error).removeprefix(f"{root / path}: ")


def _usual_channels(root: Path, paths: list[str], plan: Preparation) -> int:
    """The number of channels of the store: as chosen, or what most of some evenly spread images have."""
    counts: Counter[int] = Counter()
    sixteen_bit = 0
    for pixels in _probes(root, paths):
        counts[len(pixels)] += 1
        sixteen_bit += pixels.dtype == np.uint16
    if plan.value_range == "none" and 2 * sixteen_bit > counts.total():
        # Known before the work begins: nearly all files would be rejected for it one by one.
        raise InputError(f"{root}: {SIXTEEN_BIT}")
    if plan.channels is not None:
        return len(plan.channels)
    return counts.most_common(1)[0][0] if counts else 1


def _probes(root: Path, paths: list[str]) -> Iterator[Pixels]:
    """Some readable images from all over the source; where those cannot be read, the first that can."""
    spread = sorted(set(np.linspace(0, len(paths) - 1, _PROBES).astype(int).tolist()))
    found = 0
    for candidates, enough in (([paths[i] for i in spread], _PROBES), (paths, 1)):
        for path in candidates:
            if found >= enough:
                return
            try:
                pixels = decode(root / path)
            except InputError:
                continue
            found += 1
            yield pixels


def _nothing_left(listing: Listing, rejected: list[tuple[str, str]]) -> InputError:
    reasons = Counter(reason for _, reason in rejected).most_common(3)
    shown = "; ".join(f"{reason} ({count} files)" for reason, count in reasons)
    return InputError(
        f"{listing.root} must hold at least one usable image, got none of {len(rejected)}: {shown}"
    )
