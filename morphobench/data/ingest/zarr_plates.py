"""Plates in OME-Zarr's layout: one folder that holds the fields of all wells as images of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from morphobench._util.files import open_regular
from morphobench.data.ingest.paths import IMAGE_FOLDERS, files_below
from morphobench.data.metadata import well_name
from morphobench.errors import InputError

_ATTRIBUTES = (".zattrs", "zarr.json")


def images_below(
    folder: Path, *, only: str | None = None
) -> Iterator[tuple[str, dict[str, str | None] | None]]:
    """List the files below a folder, and the fields of plates for the plates.

    Args:
        folder: the folder.
        only: name of the one file or Zarr in it that is listed; None: all.

    Yields:
        Path relative to the folder; and for a field of a plate its plate, well and site, else None.
    """
    for path in files_below(folder) if only is None else (only,):
        fields = list(fields_of_plate(folder / path)) if path.lower().endswith(IMAGE_FOLDERS) else []
        if not fields:
            yield path, None
        for field, columns in fields:
            yield f"{path}/{field}", columns


def fields_of_plate(folder: Path) -> Iterator[tuple[str, dict[str, str | None]]]:
    """List the fields of a plate.

    Args:
        folder: the folder of an OME-Zarr.

    Yields:
        Path of each field relative to the folder, with its plate, well and site; nothing for an OME-Zarr that
        is no plate.

    Raises:
        InputError: where the attributes of a plate are damaged.
    """
    plate = _attributes(folder).get("plate")
    if plate is None:
        return
    name = folder.name.split(".")[0]
    try:
        for well in sorted(str(one["path"]) for one in plate["wells"]):
            for image in _attributes(folder / well)["well"]["images"]:
                columns: dict[str, str | None] = {
                    "Metadata_Plate": name,
                    "Metadata_Well": well_name(well.replace("/", "")),
                    "Metadata_Site": str(image["path"]),
                }
                yield f"{well}/{image['path']}", columns
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder} must describe its wells as OME-Zarr does, but {error} is absent"
        ) from error


def _attributes(group: Path) -> Mapping[str, Any]:
    """What OME says of a group, of any version."""
    for name in _ATTRIBUTES:
        if (file := group / name).is_file():
            try:
                with open_regular(file) as opened:
                    found = json.load(opened)
                found = found.get("attributes", found)
                known: Mapping[str, Any] = found.get("ome", found)
            except (ValueError, AttributeError) as error:
                raise InputError(f"{file} must hold a JSON object, got: {error}") from error
            return known
    return {}
