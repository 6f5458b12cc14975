"""Locations of cells in their fields of view: tables of CellProfiler and DeepProfiler, or plain ones."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from morphobench.data.ingest.listing import Listing, shown_path
from morphobench.data.ingest.paths import files_below
from morphobench.data.ingest.platemap import plate_key
from morphobench.data.ingest.tables import IMAGE_NUMBER, name_of, read_table, table_ending
from morphobench.data.metadata import column_name, heading_key, well_name
from morphobench.errors import InputError
from morphobench.types import Float64Array, Int64Array
from morphobench.types import Path as PathLike

AUTO = "auto"

_X = (
    "nucleilocationcenterx",
    "locationcenterx",
    "nucleiareashapecenterx",
    "areashapecenterx",
    "centerx",
    "x",
)
_Y = tuple(key[:-1] + "y" for key in _X)
_PLACE = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")
_OBJECT = ("objectnumber", "numberobjectnumber", "nucleinumberobjectnumber")
_DEEP_PROFILER = re.compile(
    r"(?P<well>[A-Z]{1,2}\d{1,3})[-_](?P<site>\w*?\d+)(?:[-_]Nuclei)?\.csv", re.IGNORECASE
)


def read_locations(listing: Listing, locations: PathLike | pd.DataFrame) -> list[Float64Array]:
    """Read the cells' locations and find the image of each.

    Args:
        listing: the images.
        locations: a table with x and y in pixels of the image (``Nuclei_Location_Center_X``,
            ``Location_Center_X``, ``x``, ...) and what names the image: path, ImageNumber, or plate, well and
            site; or a folder of tables ``PLATE/WELL-SITE-Nuclei.csv``, as DeepProfiler has them, or of one
            table per plate, in a folder of the plate's name or named after it.

    Returns:
        float64 (cells, 2) for each image: x and y.

    Raises:
        InputError: for a table that does not fit, or names no image.
    """
    name = name_of(locations, "locations")
    plates = {plate_key(plate) for plate in listing.table.get("Metadata_Plate", ())}
    table = _read(locations, plates, root=listing.root.folder)
    keys = {heading_key(head): head for head in table.columns}
    x, y = (next((keys[key] for key in wanted if key in keys), None) for wanted in (_X, _Y))
    if x is None or y is None:
        raise InputError(
            f"{name} must have columns Nuclei_Location_Center_X/Y, Location_Center_X/Y, or x/y, "
            f"got {', '.join(table.columns)}"
        )
    image_keys, cell_keys, by = _keys(listing, table, keys, name)
    if (doubled := pd.Series(list(image_keys), dtype=object).duplicated()).any():
        first = image_keys[int(doubled.to_numpy().argmax())]
        raise InputError(f"{name} must tell images apart by {by}, got several images of {first}")
    if shift := _shift(image_keys, cell_keys):
        raise InputError(f"{name} must number {by} as the images do, got {shift}")
    points = table[[x, y]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    whole = np.isfinite(points).all(axis=1)
    if whole.sum() > 1 and points[whole].max() <= 1:
        raise InputError(f"{name} must hold x and y in pixels, got values up to {points[whole].max():g}")
    row_of_image = {key: row for row, key in enumerate(image_keys)}
    rows = np.array([row_of_image.get(key, -1) for key in cell_keys], dtype=np.int64)
    if not ((rows >= 0) & whole).any():
        raise InputError(
            f"{name} must have cells of the images (by {by}), got none: images such as {image_keys[0]}, "
            f"cells such as {cell_keys[0] if cell_keys else 'none'}"
        )
    _refuse_repeated(table, keys, rows, points, name)
    if strangers := int((rows < 0).sum()):
        listing.warnings.append(f"{strangers} of {len(rows)} cells in {name} are of other images")
    if lost := int((~whole).sum()):
        listing.warnings.append(f"{lost} of {len(rows)} cells in {name} have no location")
    order = np.argsort(rows, kind="stable")
    order = order[(rows[order] >= 0) & whole[order]]
    bounds = np.searchsorted(rows[order], np.arange(len(image_keys) + 1))
    return [points[order[start:stop]] for start, stop in itertools.pairwise(bounds)]


def _read(locations: PathLike | pd.DataFrame, plates: set[str], *, root: Path) -> pd.DataFrame:
    if isinstance(locations, pd.DataFrame):
        return read_table(locations)
    folder = Path(locations) if Path(locations).exists() else root / locations
    if not folder.is_dir():
        return read_table(locations, root=root)
    tables = []
    for file in sorted(folder / name for name in files_below(folder) if table_ending(name)):
        table = read_table(file)
        if not any(column_name(head) == "Metadata_Plate" for head in map(str, table)):
            if found := _DEEP_PROFILER.fullmatch(file.name):
                table = table.assign(Plate=file.parent.name, Well=found["well"], Site=found["site"])
            else:
                table = table.assign(Plate=_plate_of(file.relative_to(folder), plates))
        tables.append(table)
    if not tables:
        raise InputError(f"{folder} must hold tables of cells, got none")
    return pd.concat(tables, ignore_index=True)


def _plate_of(file: Path, plates: set[str]) -> str:
    """The plate that a table's folder or name says."""
    stem = file.name.removesuffix(table_ending(file.name))
    names = [*file.parts[:-1], stem, *re.split(r"[-_ ](?=[^-_ ]*$)", stem)[:1]]
    found = next((name for name in names if plate_key(name) in plates), None)
    if found is None:
        raise InputError(
            f"{file} must lie in a folder of its plate's name, or be PLATE.csv or WELL-SITE-Nuclei.csv, "
            f"got none of the plates {', '.join(sorted(plates)[:3]) or '(no plate is known)'}"
        )
    return found


def _keys(
    listing: Listing, table: pd.DataFrame, keys: dict[str, str], name: str
) -> tuple[Sequence[object], Sequence[object], str]:
    """The key of each image and of each cell, and what it is."""
    columns = {column_name(head): head for head in table.columns}
    if "Metadata_Path" in columns:
        paths = table[columns["Metadata_Path"]].astype(str).str.strip()
        return list(listing.table["Metadata_Path"]), [shown_path(path) for path in paths], "path"
    place = [column for column in _PLACE if column in columns and column in listing.table]
    if "Metadata_Well" in place:
        images = listing.table[place].apply(_place, axis=1)
        cells = table[[columns[column] for column in place]].rename(
            columns=dict(zip([columns[c] for c in place], place, strict=True))
        )
        by = ", ".join(column.removeprefix("Metadata_").lower() for column in place)
        unique, codes = np.unique(cells.astype(str).agg("\0".join, axis=1), return_inverse=True)
        first = {code: row for row, code in reversed(list(enumerate(codes)))}
        known = [_place(cells.iloc[first[code]]) for code in range(len(unique))]
        return list(images), [known[code] for code in codes], by
    if IMAGE_NUMBER in keys:
        numbers = [_integer(value) for value in table[keys[IMAGE_NUMBER]]]
        plates = table[columns["Metadata_Plate"]].map(plate_key) if "Metadata_Plate" in place else None
        return _by_number(listing, numbers, plates, name)
    raise InputError(
        f"{name} must name the image of each cell by path, by ImageNumber, or by plate, well and site, "
        f"got {', '.join(table.columns)}"
    )


def _by_number(
    listing: Listing, cells: list[object], plates: pd.Series | None, name: str
) -> tuple[Sequence[object], Sequence[object], str]:
    """Keys by ImageNumber, which may begin anew on each plate."""
    own = [head for head in listing.table.columns if heading_key(str(head)) == IMAGE_NUMBER]
    restarts = plates is not None and plates.groupby(pd.Series(cells, index=plates.index)).nunique().max() > 1
    if own:
        images = [_integer(value) for value in listing.table[own[0]]]
    else:
        rows = pd.Series(range(len(listing.table)))
        images = list(rows.groupby(listing.table["Metadata_Plate"]).cumcount() + 1 if restarts else rows + 1)
        listing.warnings.append(
            f"{name} names images by ImageNumber, which the images do not have: they were numbered from 1 in "
            f"their order{' on each plate' if restarts else ''}"
        )
    if plates is None:
        return images, cells, "ImageNumber"
    of_images = listing.table["Metadata_Plate"].map(plate_key)
    return (
        list(zip(of_images, images, strict=True)),
        list(zip(plates, cells, strict=True)),
        "plate and ImageNumber",
    )


def _refuse_repeated(
    table: pd.DataFrame, keys: dict[str, str], rows: Int64Array, points: Float64Array, name: str
) -> None:
    """Refuse cells that a table has twice: so look tables of several plates that both begin at image 1."""
    known = rows >= 0
    found = pd.DataFrame({"row": rows, "x": points[:, 0], "y": points[:, 1]})
    doubled = found[known].dropna().duplicated()
    number = next((keys[key] for key in _OBJECT if key in keys), None)
    if not doubled.any() and number is not None:
        doubled = found.assign(number=table[number].to_numpy())[known].duplicated(["row", "number"])
    if doubled.any():
        first = doubled.index[doubled][0] + 1
        raise InputError(
            f"{name} must have each cell once, got {int(doubled.sum())} repeated, such as that of row {first}"
        )


def _shift(images: Sequence[object], cells: Sequence[object]) -> str:
    """Say that sites (or images) are numbered from 0 here and from 1 there, so that all would be mistaken."""
    spans = []
    for keys in (images, cells):
        last = [key[-1] if isinstance(key, tuple) else key for key in keys]
        numbers = {int(str(each)) for each in last if str(each).isdecimal()}
        if len(numbers) < len({*map(str, last)}):
            return ""
        spans.append((min(numbers), max(numbers)))
    (first, last_), (low, high) = spans
    if first != low and first - low == last_ - high and abs(first - low) == 1:
        return f"{low} to {high} for cells and {first} to {last_} for images"
    return ""


def _place(row: pd.Series) -> tuple[str, ...]:
    made = {"Metadata_Plate": plate_key, "Metadata_Well": well_name, "Metadata_Site": _site}
    return tuple(made.get(str(column), _text)(value) for column, value in row.items())


def _site(value: object) -> str:
    digits = re.search(r"(\d+)$", _text(value))
    return str(int(digits[1])) if digits else _text(value)


def _text(value: object) -> str:
    text = str(value).strip()
    return text.removesuffix(".0") if re.fullmatch(r"\d+\.0", text) else text


def _integer(value: object) -> object:
    text = _text(value)
    return int(text) if text.isdecimal() else text
