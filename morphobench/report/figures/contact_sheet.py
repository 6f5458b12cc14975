"""A contact sheet: random images of a store, one row per class or compound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from morphobench._util.files import file_in_place_of
from morphobench._util.text import printable
from morphobench.data import ImageStore
from morphobench.data.metadata import NEGCON
from morphobench.errors import InputError
from morphobench.report.figures.view_gallery import channel_shown
from morphobench.types import Int64Array, UInt8Array
from morphobench.types import Path as PathLike

_TILE_PX, _GAP_PX, _CAPTION_PX, _MARGIN_PX = 96, 6, 18, 10
_MOST_ROWS = 40


def write_contact_sheet(store: ImageStore, out: PathLike, *, images: int = 8, seed: int = 0) -> Path:
    """Write a picture of random images, one row per control type and compound.

    Three channels are shown as red, green and blue; of any other number the first is shown in grey, and the
    heading says so.

    Args:
        store: the images.
        out: picture to write; its ending says the format (.png, .jpg, .tif ...).
        images: number of images per row.
        seed: random seed of the choice.

    Returns:
        Path of the picture.

    Raises:
        InputError: for an ending that is no format of pictures.
    """
    out = Path(out)
    known = Image.registered_extensions()
    if known.get(out.suffix.lower()) not in Image.SAVE:
        raise InputError(f"--out must end in a format of pictures, such as .png, got {out.name}")
    rows = _rows(store, images, np.random.default_rng(seed))
    channels = store.images.shape[1]
    names = ", ".join(store.channel_names)
    heading = f"{len(store):,} images, {channels} channel{'s' if channels > 1 else ''}"
    heading += f" ({names})" if names else ""
    heading += channel_shown(store)
    height = _MARGIN_PX + _CAPTION_PX + len(rows) * (_CAPTION_PX + _TILE_PX + _GAP_PX) + _MARGIN_PX
    width = 2 * _MARGIN_PX + max(images * (_TILE_PX + _GAP_PX), 8 * len(heading))
    sheet = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    draw.text((_MARGIN_PX, _MARGIN_PX), printable(heading), fill="black", font=font)
    top = _MARGIN_PX + _CAPTION_PX
    for title, chosen in rows:
        draw.text((_MARGIN_PX, top + 2), printable(title), fill="black", font=font)
        top += _CAPTION_PX
        for column, row in enumerate(chosen):
            tile = Image.fromarray(_pixels(store.images[row])).resize((_TILE_PX, _TILE_PX))
            sheet.paste(tile, (_MARGIN_PX + column * (_TILE_PX + _GAP_PX), top))
        top += _TILE_PX + _GAP_PX
    with file_in_place_of(out) as unfinished:
        sheet.save(unfinished, known[out.suffix.lower()])
    return out


def _rows(store: ImageStore, images: int, generator: np.random.Generator) -> list[tuple[str, Int64Array]]:
    """Title and images of each row: controls first, then the compounds with most images."""
    keys = [name for name in ("Metadata_ControlType", "Metadata_Compound") if name in store.metadata]
    table = store.metadata.reset_index(drop=True)
    if not keys:
        return [(f"all: {len(table):,}", _chosen(np.arange(len(table)), images, generator))]
    names = table[keys].astype(object).where(table[keys].notna(), "").agg(" ".join, axis=1).str.strip()
    treated = table[keys[0]] != NEGCON
    groups = [
        (bool(treated.iloc[rows[0]]), -len(rows), str(title), np.asarray(rows, dtype=np.int64))
        for title, rows in table.groupby(names, sort=False).indices.items()
    ]
    return [
        (f"{title or 'no class'}: {len(rows):,}", _chosen(rows, images, generator))
        for _, _, title, rows in sorted(groups, key=lambda group: group[:3])[:_MOST_ROWS]
    ]


def _chosen(rows: Int64Array, images: int, generator: np.random.Generator) -> Int64Array:
    return np.sort(generator.choice(rows, min(images, len(rows)), replace=False))


def _pixels(image: UInt8Array) -> UInt8Array:
    return np.ascontiguousarray(np.moveaxis(image, 0, -1) if len(image) == 3 else image[0])
