"""Images on disk into an ImageStore: what can be read goes in, the rest is listed with the reason."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from morphobench._util.cpu import available_cores
from morphobench._util.extras import load_extra
from morphobench._util.integers import check_integer
from morphobench._util.text import printable
from morphobench.data.ingest.decode import Pages
from morphobench.data.ingest.discover import list_source
from morphobench.data.ingest.field_reader import Field, FieldReader, Levels
from morphobench.data.ingest.limits import MAX_COST_BYTES
from morphobench.data.ingest.listing import Listing, shown_path, warn_of_tables
from morphobench.data.ingest.locations import AUTO, read_locations
from morphobench.data.ingest.preprocess import Preparation, preparation
from morphobench.data.ingest.summary import IngestSummary, summarize
from morphobench.data.store.reader import ImageStore, existing_store
from morphobench.data.store.writer import StoreWriter
from morphobench.errors import InputError
from morphobench.types import Path as PathLike

_IN_FLIGHT = 16
_Table = PathLike | pd.DataFrame


def ingest(
    source: PathLike,
    destination: PathLike,
    *,
    metadata: _Table | None = None,
    size_px: int = 64,
    channels: Sequence[int | str] | int | str | None = None,
    pattern: str | None = None,
    fit: str = "resize",
    tile: int | None = None,
    value_range: str | Sequence[float] = "none",
    load_data: _Table | None = None,
    platemap: _Table | Sequence[_Table] = (),
    locations: _Table | None = None,
    crop_px: int | None = None,
    edge: str = "drop",
    pages: Pages | None = None,
    separate_files: bool = False,
    allow_outside: bool = False,
    fresh: bool = False,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageStore:
    """Make a store, uint8 (N, C, size_px, size_px), of the images in a folder.

    Files that cannot be read in full, or whose channels differ from most others', are listed with the reason
    in ``store.rejected``. The store made of the same source with the same options is returned as it is; with
    others it is refused, naming them, unless ``fresh``. Nothing is left behind when it is interrupted.

    Args:
        source: a folder, or a CSV or Parquet table beside its images.
        destination: folder of the store.
        metadata: a table with a column ``path`` (relative to ``source``) and Metadata_ columns; by default
            ``metadata.csv`` or ``metadata.parquet`` in the folder, else folders say what is control and what
            is drug.
        size_px: side of the stored images.
        channels: channels to keep, by number from 0 or by name (default: all).
        pattern: ``"study"`` for the study's file names, or a regular expression with named groups over each
            path; files that differ in a group Channel only become one image.
        fit: ``"resize"`` (bilinear, antialiased) or ``"crop"`` (the centre) to ``size_px``.
        tile: cut each image into squares of so many pixels first.
        value_range: how values become 8-bit: ``"none"`` (8-bit images only), ``"minmax"``, ``"percentile"``
            (0.3 to 99.7) per image and channel, or a fixed (low, high).
        load_data: CellProfiler's LoadData table: one row per image, one file per channel.
        platemap: one or several plate maps, joined on plate and well.
        locations: table of cells' locations, which are cut out; ``"auto"`` finds nuclei.
        crop_px: side of the square around each cell (default: ``size_px``).
        edge: ``"drop"`` cells whose square leaves the image, or ``"pad"`` it with 0.
        pages: what the pages of a TIFF are: ``"images"`` or ``"channels"`` (default: what the file says).
        separate_files: take files for images of their own though their names say that they are channels.
        allow_outside: read files outside of ``source`` too, which tables or links name.
        fresh: replace a store at ``destination``.
        threads: number of threads; None for every core that this process may use.
        progress: called with (done, total) as files are read.

    Returns:
        The store; ``summary(store)`` says what was understood.

    Raises:
        InputError: for bad arguments or tables, and where no image is left.
    """
    listing, plan, reader, options = _plan(
        source,
        metadata=metadata,
        pattern=pattern,
        load_data=load_data,
        platemap=platemap,
        locations=locations,
        pages=pages,
        separate_files=separate_files,
        allow_outside=allow_outside,
        threads=threads,
        size_px=size_px,
        channels=channels,
        fit=fit,
        tile=tile,
        value_range=value_range,
        crop_px=crop_px,
        edge=edge,
    )
    made = existing_store(destination, created_by="ingest", options=options, fresh=fresh)
    if made is not None:
        return made
    manifest: dict[str, object] = {
        "created_by": "ingest",
        "options": options,
        "source": shown_path(str(source)),
    }
    with _bombs_are_errors():
        _write(
            listing,
            Path(destination),
            plan,
            reader,
            manifest,
            located=locations is not None,
            fresh=fresh,
            workers=threads or available_cores(),
            progress=progress,
        )
    return ImageStore.open(destination)


def inspect_source(source: PathLike, **options: Any) -> IngestSummary:
    """Say what ``ingest`` would understand, from the tables and some of the images; nothing is written.

    Args:
        source: as for ``ingest``.
        **options: as for ``ingest``.

    Returns:
        The summary.

    Raises:
        InputError: as for ``ingest``.
    """
    for name in ("fresh", "progress"):
        options.pop(name, None)
    listing, plan, reader, _ = _plan(source, **options)
    with _bombs_are_errors():
        probe = reader.probe()
    return summarize(
        listing,
        plan,
        table=listing.table,
        images=None,
        rejected=len(listing.rejected),
        shapes=probe.shapes,
        notes=probe.notes,
        levels=probe.levels,
        channels=probe.channels,
        channel_names=probe.channel_names,
        located=options.get("locations") is not None,
        cells=reader.cells,
    )


def summary(store: ImageStore) -> IngestSummary:
    """Say what ``ingest`` understood when it made a store.

    Args:
        store: a store made by ``ingest``.

    Returns:
        The summary.

    Raises:
        InputError: for a store made in another way.
    """
    description = store.manifest.get("summary")
    if not isinstance(description, dict):
        raise InputError(
            f"{store.path} must be a store made by ingest, got one made by {store.manifest['created_by']}"
        )
    return IngestSummary.from_description(description)


def _plan(
    source: PathLike,
    *,
    metadata: _Table | None = None,
    pattern: str | None = None,
    load_data: _Table | None = None,
    platemap: _Table | Sequence[_Table] = (),
    locations: _Table | None = None,
    pages: Pages | None = None,
    separate_files: bool = False,
    allow_outside: bool = False,
    threads: int | None = None,
    **prepared: Any,
) -> tuple[Listing, Preparation, FieldReader, dict[str, object]]:
    plan = preparation(**prepared)
    if threads is not None:
        check_integer("threads", threads, 4096, least=1)
    if pages not in (None, "images", "channels"):
        raise InputError(f"pages must be images or channels, got {pages!r}")
    if locations is not None and plan.tile is not None:
        raise InputError("tile and locations must not be given both, got both")
    maps = [platemap] if isinstance(platemap, str | os.PathLike | pd.DataFrame) else list(platemap)
    listing = list_source(
        source,
        metadata=metadata,
        pattern=pattern,
        load_data=load_data,
        platemaps=maps,
        separate_files=separate_files,
        allow_outside=allow_outside,
    )
    auto = isinstance(locations, str) and locations == AUTO
    if auto:
        load_extra("skimage", extra="segment")  # else each image would be rejected for its absence
    if load_data is None:
        warn_of_tables(listing, [source, metadata, *maps, locations])
    points = None if locations is None or auto else read_locations(listing, locations)
    options: dict[str, object] = {
        "size_px": plan.size_px,
        "channels": plan.channels,
        "pattern": pattern,
        "fit": plan.fit,
        "tile": plan.tile,
        "range": plan.value_range,
        "source_sha256": listing.fingerprint(),
    }
    if locations is not None:
        digest = hashlib.sha256(b"".join(each.tobytes() + b"\0" for each in points or ())).hexdigest()
        options |= {"crop_px": plan.crop_px, "edge": plan.edge, "locations": AUTO if auto else digest}
    if pages is not None:
        options["pages"] = pages
    return listing, plan, FieldReader(listing, plan, pages=pages, points=points, find_cells=auto), options


@contextmanager
def _bombs_are_errors() -> Iterator[None]:
    """An image that Pillow takes for a decompression bomb is rejected like any other that cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _write(
    listing: Listing,
    destination: Path,
    plan: Preparation,
    reader: FieldReader,
    manifest: dict[str, object],
    *,
    located: bool,
    fresh: bool,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    probe = reader.probe()
    manifest["channel_names"] = list(probe.channel_names) or None
    rejected = list(listing.rejected)
    rows: list[int] = []
    columns: list[dict[str, Any]] = []
    shapes: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    levels: list[Levels] = []
    cells = 0
    with ExitStack() as stack:
        shape = (probe.channels, plan.size_px, plan.size_px)
        writer = stack.enter_context(
            StoreWriter(destination, image_shape=shape, manifest=manifest, fresh=fresh)
        )
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        for row, found in _read_all(reader, pool, limit=_IN_FLIGHT * workers):
            if isinstance(found, str):
                rejected.append((listing.files[row][0], found))
            else:
                writer.append(found.images)
                rows += [row] * len(found.images)
                columns.append(found.columns)
                shapes[found.shape] += 1
                notes[found.note] += 1
                levels.append(found.levels)
                cells += found.cells
            if progress is not None:
                progress(row + 1, len(reader))
        if not rows:
            raise _nothing_left(listing, rejected)
        table = listing.table.iloc[rows].reset_index(drop=True)
        for name in sorted({name for each in columns for name in each}):
            table[name] = np.concatenate([each[name] for each in columns if name in each])
        del notes[""]
        writer.manifest["source_shapes"] = dict(shapes)
        writer.manifest["summary"] = summarize(
            listing,
            plan,
            table=table,
            images=len(rows),
            rejected=len(rejected),
            shapes=shapes,
            notes=notes,
            levels=Levels.together(levels),
            channels=probe.channels,
            channel_names=probe.channel_names,
            located=located,
            cells=(reader.cells or cells) if located else None,
        ).describe()
        shown = [(printable(path), printable(reason)) for path, reason in rejected]
        writer.finish(table, rejected=pd.DataFrame(shown, columns=["path", "reason"]))


def _read_all(
    reader: FieldReader, pool: ThreadPoolExecutor, *, limit: int
) -> Iterator[tuple[int, Field | str]]:
    """All images in order, or why one cannot be used; several at once as far as memory allows."""
    under_way: deque[tuple[int, Future[Field | str], int]] = deque()
    in_use = 0

    def read(row: int) -> Field | str:
        try:
            return reader.read(row)
        except InputError as error:
            return str(error)

    for row in range(len(reader)):
        cost = min(reader.cost(row), MAX_COST_BYTES)
        # The oldest is waited for, so that an interrupt need not wait for many and memory stays bounded.
        while under_way and (len(under_way) >= limit or in_use + cost > MAX_COST_BYTES):
            number, future, freed = under_way.popleft()
            yield number, future.result()
            in_use -= freed
        under_way.append((row, pool.submit(read, row), cost))
        in_use += cost
    while under_way:
        number, future, _ = under_way.popleft()
        yield number, future.result()


def _nothing_left(listing: Listing, rejected: list[tuple[str, str]]) -> InputError:
    reasons = Counter(reason for _, reason in rejected).most_common(3)
    shown = "; ".join(f"{reason} ({count} files)" for reason, count in reasons)
    return InputError(
        f"{listing.root.folder} must hold at least one usable image, got none of {len(rejected)}: {shown}"
    )
