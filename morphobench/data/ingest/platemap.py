"""Plate maps: tables of what each well holds, joined to the images on plate and well."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from morphobench._util.text import printable
from morphobench.data.ingest.listing import Listing
from morphobench.data.ingest.tables import TABLES, name_of, read_table
from morphobench.data.metadata import column_names, heading_key, well_name
from morphobench.errors import InputError
from morphobench.types import Path as PathLike

_PLATE, _WELL = "Metadata_Plate", "Metadata_Well"
_COMPOUND, _CONTROL_TYPE = "Metadata_Compound", "Metadata_ControlType"


def add_platemaps(listing: Listing, platemaps: Sequence[PathLike | pd.DataFrame]) -> None:
    """Add the columns of plate maps to the images of their plates and wells.

    A table with ``Assay_Plate_Barcode`` and ``Plate_Map_Name`` (Cytomining's barcode_platemap.csv) says which
    map each plate has; the maps are given too, or lie beside it or in its folder ``platemap``. A map without
    a plate holds for every plate that no such table names.

    Args:
        listing: the images; its table gets the columns that it does not have.
        platemaps: the tables.

    Raises:
        InputError: for images without wells, maps without wells, or wells that a map has twice.
    """
    if not platemaps:
        return
    have = column_names(listing.table.columns)
    wells = [head for head, column in have.items() if column == _WELL]
    plates = [head for head, column in have.items() if column == _PLATE]
    if not wells:
        raise InputError(
            "platemap must be joined on wells, got images without a well: --pattern reads it from file names"
        )
    map_of_plate: dict[str, str] = {}
    maps: dict[str, pd.DataFrame] = {}
    for number, given in enumerate(platemaps):
        name = name_of(given, f"platemap {number + 1}")
        table = read_table(given, root=listing.root.folder)
        keys = {heading_key(head): head for head in table.columns}
        if "platemapname" in keys and "assayplatebarcode" in keys and "wellposition" not in keys:
            barcodes = table[keys["assayplatebarcode"]].map(plate_key)
            map_names = table[keys["platemapname"]].astype(str).str.strip()
            for barcode, map_name in zip(barcodes, map_names, strict=True):
                if (other := map_of_plate.setdefault(barcode, map_name)) != map_name:
                    raise InputError(
                        f"{name} must give each plate one map, got {other} and {map_name} for {barcode}"
                    )
            if not isinstance(given, pd.DataFrame):
                file = Path(given) if Path(given).exists() else listing.root.folder / given
                maps |= _maps_beside(file, set(map_names), listing.warnings)
        else:
            stem = f"#{number}" if isinstance(given, pd.DataFrame) else Path(given).stem
            maps[stem] = _checked_map(table, name, listing.warnings)
    if missing := sorted(set(map_of_plate.values()) - maps.keys()):
        raise InputError(f"platemap must have a table for each map, got none for {', '.join(missing[:3])}")
    plate = listing.table[plates[0]].astype(str) if plates else pd.Series("", index=listing.table.index)
    known = {*map_of_plate, *(plate_key(name) for each in maps.values() for name in each.get(_PLATE, ()))}
    if known and plates and not any(plate_key(name) in known for name in plate.unique()):
        found = ", ".join(sorted(known)[:3])
        raise InputError(f"platemap must name the images' plates, such as {plate.iloc[0]}, got {found}")
    well = listing.table[wells[0]].map(well_name)
    _join(listing, plate, well, maps, map_of_plate)


def plate_key(name: object) -> str:
    """Reduce the name of a plate to what is compared: no case, no spaces around it, no ``.0`` of a number.

    Args:
        name: the name.

    Returns:
        The key.
    """
    return re.sub(r"(?<=\d)\.0$", "", str(name).strip()).casefold()


def _maps_beside(barcodes: Path, names: set[str], warnings: list[str]) -> dict[str, pd.DataFrame]:
    found = {}
    for name in sorted(names):
        for folder in (barcodes.parent / "platemap", barcodes.parent):
            file = next(
                (folder / f"{name}{end}" for end in TABLES if (folder / f"{name}{end}").is_file()), None
            )
            if file is not None:
                found[name] = _checked_map(read_table(file), str(file), warnings)
                break
    return found


def _checked_map(table: pd.DataFrame, name: str, warnings: list[str]) -> pd.DataFrame:
    broad_sample = [head for head in table.columns if heading_key(head) == "broadsample"]
    table = table.rename(columns=column_names(table.columns))
    if _WELL not in table:
        raise InputError(f"{name} must have a column well_position (or well), got {', '.join(table.columns)}")
    table[_WELL] = table[_WELL].map(well_name)
    keys = [key for key in (_PLATE, _WELL) if key in table]
    if (doubled := table.duplicated(keys)).any():
        raise InputError(f"{name} must have each well once, got {table[_WELL][doubled].iloc[0]} twice")
    if broad_sample and _COMPOUND in table and broad_sample[0] not in table:  # it is the compound
        solvent = table[_COMPOUND].isna() & table.get(_CONTROL_TYPE, pd.Series(None, table.index)).isna()
        if solvent.any() and not solvent.all():
            table.loc[solvent, _COMPOUND] = "DMSO"
            warnings.append(
                f"{int(solvent.sum())} wells of {printable(Path(name).name)} have no broad_sample and were "
                "taken for DMSO, as Cytomining's tables mean it"
            )
    return table


def _join(
    listing: Listing,
    plate: pd.Series,
    well: pd.Series,
    maps: dict[str, pd.DataFrame],
    map_of_plate: dict[str, str],
) -> None:
    unnamed = [name for name in maps if name not in set(map_of_plate.values())]
    general = [maps[name] for name in unnamed]
    if unnamed and all(plate_key(name) in map_of_plate for name in plate.unique()):
        listing.warnings.append(
            f"{len(unnamed)} platemaps were not used, as every plate has another: {', '.join(unnamed[:3])}"
        )
    parts = []
    for name in plate.unique():
        key = plate_key(name)
        used = [maps[map_of_plate[key]]] if key in map_of_plate else general
        rows = pd.DataFrame({_WELL: well[plate == name]})
        for each in used:
            if _PLATE in each:
                each = each[each[_PLATE].map(plate_key) == key].drop(columns=_PLATE)
            _add(rows, each.set_index(_WELL).reindex(rows[_WELL]).set_index(rows.index), str(name))
        parts.append(rows.drop(columns=_WELL))
    joined = pd.concat(parts).reindex(listing.table.index)
    have = set(column_names(listing.table.columns).values())
    added = joined[[column for column in joined if column not in have]]
    if added.shape[1] == 0:
        raise InputError("platemap must add a column to the images, got none that they do not have")
    unmatched = added.isna().all(axis=1)
    if unmatched.all():
        raise InputError(
            f"platemap must hold the images' wells, got none of them (such as {plate.iloc[0]} {well.iloc[0]})"
        )
    if unmatched.any():
        first = int(unmatched.to_numpy().argmax())
        listing.warnings.append(
            f"{int(unmatched.sum())} images have a well that no platemap holds, "
            f"such as {plate.iloc[first]} {well.iloc[first]}"
        )
    listing.table = pd.concat([listing.table, added], axis=1)


def _add(rows: pd.DataFrame, found: pd.DataFrame, plate: str) -> None:
    """Add what a further map says of a plate's wells; maps may hold other wells, not other contents."""
    for column, values in found.items():
        if column not in rows:
            rows[column] = values
            continue
        both = rows[column].notna() & values.notna()
        if (rows[column][both].astype(str) != values[both].astype(str)).any():
            raise InputError(
                f"platemap must have one map for plate {plate or 'of no name'}, got several that differ in "
                f"{column}: a column plate or barcode_platemap.csv says which plate a map is of"
            )
        rows[column] = rows[column].where(rows[column].notna(), values)
