"""Reads the images of a listing one by one: decoded, of the channels of the store, prepared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from morphobench._util.files import path_exists
from morphobench.data.ingest.decode import Decoded, Pages, Pixels, decode_file, decoding_cost
from morphobench.data.ingest.decode_tiff import PAGES
from morphobench.data.ingest.limits import check_cost
from morphobench.data.ingest.listing import Listing
from morphobench.data.ingest.nuclei import locate
from morphobench.data.ingest.preprocess import SIXTEEN_BIT, Preparation
from morphobench.errors import InputError
from morphobench.types import Float64Array, UInt8Array

_PROBES = 25


@dataclass(frozen=True)
class Field:
    """What one row of a listing gives.

    Attributes:
        images: uint8 (T, C, size_px, size_px).
        columns: further columns of metadata, (T,) each.
        shape: the source's shape, such as "3x68x68 uint16".
        note: what a reader should know of how it was read; empty for nothing.
        levels: its values beside the range that becomes 8-bit.
        cells: number of cells that were located in it, whether or not they could be cut out.
    """

    images: UInt8Array
    columns: dict[str, NDArray[np.generic]]
    shape: str
    note: str
    levels: Levels
    cells: int


@dataclass(frozen=True)
class Levels:
    """Values of images before they become 8-bit.

    Attributes:
        largest: the largest value.
        above: share of the pixels above the range that is asked for; 0 where none is.
    """

    largest: int
    above: float

    @classmethod
    def of(cls, images: Pixels, plan: Preparation) -> Levels:
        """Look at the pixels of some images.

        Args:
            images: uint8 or uint16, of any shape.
            plan: how they are prepared.

        Returns:
            Their values.
        """
        asked = plan.value_range
        above = float((images > asked[1]).mean()) if isinstance(asked, tuple) else 0.0
        return cls(int(images.max()), above)

    @classmethod
    def together(cls, parts: Sequence[Levels]) -> Levels:
        """Put the values of several images together.

        Args:
            parts: those of each; at least one.

        Returns:
            Those of all.
        """
        return cls(max(one.largest for one in parts), sum(one.above for one in parts) / len(parts))


@dataclass(frozen=True)
class Probe:
    """What some images from all over the source have in common.

    Attributes:
        channels: number of channels of the store.
        channel_names: their names; empty where the images have none.
        shapes: how many of the probed images have each shape.
        notes: notes of the probed images.
        levels: their values; None where none could be read.
        probed: number of images looked at that could be read.
    """

    channels: int
    channel_names: tuple[str, ...]
    shapes: Counter[str]
    notes: Counter[str]
    levels: Levels | None
    probed: int


class FieldReader:
    """Decodes and prepares the images of a listing.

    Args:
        listing: the images.
        plan: how they are prepared.
        pages: what the pages of a TIFF are; None: what the file says.
        points: (cells, 2) for each image, x and y of its cells; None for whole images.
        find_cells: find the nuclei of each image instead.

    Raises:
        InputError: for channels that the listing does not have.
    """

    def __init__(
        self,
        listing: Listing,
        plan: Preparation,
        *,
        pages: Pages | None = None,
        points: list[Float64Array] | None = None,
        find_cells: bool = False,
    ) -> None:
        self._listing, self._points, self._find_cells = listing, points, find_cells
        # Channels that were asked for by number imply that pages are channels.
        self._pages: Pages | None = "channels" if pages is None and plan.channels is not None else pages
        self._files, self._plan, self._names = listing.files, plan, listing.channel_names
        if listing.channel_names:
            numbers = plan.channel_numbers(listing.channel_names, len(listing.channel_names))
            self._files = [tuple(files[number] for number in numbers) for files in listing.files]
            self._names = tuple(listing.channel_names[number] for number in numbers)
            self._plan = replace(plan, channels=None)
        self._expected: int | None = None

    def __len__(self) -> int:
        return len(self._files)

    @property
    def cells(self) -> int | None:
        """Number of cells that the table of locations has in all images; None without such a table."""
        return None if self._points is None else sum(map(len, self._points))

    def probe(self) -> Probe:
        """Look at some images from all over the source; where none can be read, at all until one can.

        Returns:
            What most have in common.

        Raises:
            InputError: where most are 16-bit and no range is given, or the channels asked for have no names.
        """
        kinds: Counter[tuple[int, tuple[str, ...]]] = Counter()
        shapes: Counter[str] = Counter()
        notes: Counter[str] = Counter()
        levels: list[Levels] = []
        sixteen_bit = 0
        for decoded in self._probes():
            kinds[decoded.images.shape[1], decoded.channel_names] += 1
            shapes[_shape(decoded.images)] += 1
            notes[decoded.note] += 1
            levels.append(Levels.of(decoded.images, self._plan))
            sixteen_bit += decoded.images.dtype == np.uint16
        del notes[""]
        probed = kinds.total()
        if self._plan.value_range == "none" and 2 * sixteen_bit > probed:
            # Known before the work begins: nearly all files would be rejected for it one by one.
            reached = f"the largest value of {probed} images is {Levels.together(levels).largest}"
            raise InputError(f"{self._listing.root.folder}: {SIXTEEN_BIT}; {reached}")
        count, names = kinds.most_common(1)[0][0] if kinds else (1, ())
        names = self._names or names
        if probed:
            numbers = self._plan.channel_numbers(names, count)
            count, names = len(numbers), tuple(names[number] for number in numbers) if names else ()
        elif self._plan.channels is not None:
            count = len(self._plan.channels)
        self._expected, self._names = count, names
        return Probe(count, names, shapes, notes, Levels.together(levels) if levels else None, probed)

    def cost(self, row: int) -> int:
        """Estimate the memory that an image takes while it is read.

        Args:
            row: its position in the listing.

        Returns:
            Bytes.
        """
        total = 0
        for path in self._files[row]:
            try:
                total += decoding_cost(self._listing.root.file(path))
            except InputError:  # it will be rejected when it is read
                continue
        return total

    def read(self, row: int) -> Field:
        """Read and prepare an image.

        Args:
            row: its position in the listing.

        Returns:
            What goes into the store.

        Raises:
            InputError: where it cannot be used, with the reason; without the file's name.
        """
        decoded = self._decode(row)
        names = decoded.channel_names
        plan = self._plan
        if plan.channels is None:
            if names and self._names and names != self._names and set(names) == set(self._names):
                plan = replace(plan, channels=self._names)  # the same channels in another order
            elif names and self._names and set(names) != set(self._names):
                raise InputError(
                    f"the image must have channels {', '.join(self._names)} as most images, "
                    f"got {', '.join(names)}"
                )
            elif self._expected is not None and decoded.images.shape[1] != self._expected:
                raise InputError(
                    f"the image must have {self._expected} channels as most images, "
                    f"got {decoded.images.shape[1]}"
                )
        images, columns, cells = self._prepared(row, decoded.images, names, plan)
        levels = Levels.of(decoded.images, plan)
        return Field(images, columns, _shape(decoded.images), decoded.note, levels, cells)

    def _prepared(
        self, row: int, pages: Pixels, names: tuple[str, ...], plan: Preparation
    ) -> tuple[UInt8Array, dict[str, NDArray[np.generic]], int]:
        columns: dict[str, NDArray[np.generic]] = {}
        if self._points is not None or self._find_cells:
            if len(pages) > 1:
                raise InputError(f"the image must be one page where cells are located, got {len(pages)}")
            points = locate(pages[0], names) if self._points is None else self._points[row]
            if not len(points):
                raise InputError("the image must have the location of at least one cell, got none")
            images, kept = plan.apply_at(pages[0], points, names=names)
            columns = {
                "Metadata_X": points[kept, 0],
                "Metadata_Y": points[kept, 1],
                "Metadata_ObjectNumber": kept + 1,
            }
            return images, columns, len(points)
        pieces = [plan.apply(page, names=names) for page in pages]
        if plan.tile is not None:
            columns["Metadata_Tile"] = np.concatenate([np.arange(len(piece)) for piece in pieces])
        if len(pages) > 1:
            columns["Metadata_Page"] = np.repeat(np.arange(len(pages)), [len(piece) for piece in pieces])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces), columns, 0

    def _decode(self, row: int) -> Decoded:
        files = self._files[row]
        if len(files) > 1:  # each file of its own is checked as it is decoded
            check_cost(self.cost(row))
        if len(files) == 1 and not self._listing.channel_names:
            return self._decode_file(files[0], pages=self._pages)
        planes = [self._decode_file(path, pages="channels").images[0] for path in files]
        for path, plane in zip(files, planes, strict=True):
            if len(plane) != 1:
                raise InputError(f"{path} must have one channel as the file of one, got {len(plane)}")
            if plane.shape != planes[0].shape or plane.dtype != planes[0].dtype:
                raise InputError(
                    f"{path} must be {_shape(planes[0][None])} as the image's first channel, "
                    f"got {_shape(plane[None])}"
                )
        return Decoded(np.concatenate(planes)[None], self._names)

    def _decode_file(self, path: str, *, pages: Pages | None) -> Decoded:
        try:
            file = self._listing.root.file(path)
        except InputError as error:
            raise InputError(str(error) if len(self._files[0]) == 1 else f"{path}: {error}") from None
        try:
            return decode_file(file, pages=pages)
        except InputError as error:
            text = str(error)
            if not path_exists(file):
                raise InputError(
                    "no such file" if len(self._files[0]) == 1 else f"{path}: no such file"
                ) from None
            text = text.removeprefix(f"{file}: ")
            if text.startswith(f"{file} "):
                text = f"the file {text.removeprefix(f'{file} ')}"
            raise InputError(text if len(self._files[0]) == 1 else f"{path}: {text}") from None

    def _probes(self) -> Iterator[Decoded]:
        rows = len(self._files)
        spread = sorted(set(np.linspace(0, rows - 1, _PROBES).astype(int).tolist()))
        found = 0
        for candidates, enough in ((spread, _PROBES), (range(rows), 1)):
            for row in candidates:
                if found >= enough:
                    return
                try:
                    decoded = self._decode(row)
                except InputError as error:
                    if str(error).startswith(PAGES) or f": {PAGES}" in str(error):
                        raise InputError(f"{self._listing.files[row][0]}: {error}") from None
                    continue
                found += 1
                yield decoded


def _shape(images: Pixels) -> str:
    pages, *shape = images.shape
    text = "x".join(map(str, shape))
    return f"{pages} pages of {text} {images.dtype}" if pages > 1 else f"{text} {images.dtype}"
