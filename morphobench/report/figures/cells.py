"""Figures that show cells: the UMAP with the cell under the pointer, nearest neighbours, views."""

from __future__ import annotations

import base64
import io
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from morphobench._util.text import printable
from morphobench._util.toml import read_toml
from morphobench.data import ImageStore
from morphobench.embeddings import read_embeddings, read_metadata
from morphobench.errors import InputError
from morphobench.report.figures.vega import Figure
from morphobench.report.figures.view_gallery import write_views
from morphobench.report.load import load_tables
from morphobench.run.folder import CONFIG, SetupFiles
from morphobench.run.record import Record
from morphobench.types import Int64Array

MAX_CELLS = 1500
"""Most cells whose pictures a page holds."""
_TILE_PX = 48
_COLUMNS = 40
_QUERIES, _NEIGHBOURS = 6, 6
_COLOURINGS = ("compound", "mechanism", "plate", "cluster")
_MAX_SETUPS = 20
_MAX_NAMES = 12


@dataclass(frozen=True)
class Sprite:
    """Pictures of cells in one image.

    Attributes:
        uri: the image as a data URI.
        place: position of each image id in it, row by row.
        columns: pictures in a row.
        rows: rows of pictures.
        tile_px: side of a picture.
    """

    uri: str
    place: dict[int, int]
    columns: int = _COLUMNS
    rows: int = 1
    tile_px: int = _TILE_PX


@dataclass(frozen=True)
class Neighbours:
    """Some cells of one setup with the cells whose embeddings are the most similar.

    Attributes:
        setup: the setup.
        queries: (place in the sprite, compound) of each query and of its neighbours, nearest first.
        agreement: share of the neighbours of all test cells that have the query's compound.
    """

    setup: str
    queries: tuple[tuple[tuple[int, str], ...], ...]
    agreement: float


def find_store(out: Path, records: Sequence[Record], given: Path | None = None) -> ImageStore | None:
    """Open the store that a run was made from.

    Args:
        out: the folder of the run.
        records: its records.
        given: the store, where it is known; else the one that OUT/config.toml names.

    Returns:
        The store; None where none is known or it is not there.

    Raises:
        InputError: where the given store holds other images than the run's.
    """
    path = given
    if path is None and (out / CONFIG).is_file():
        named = read_toml(out / CONFIG).get("store")
        path = out / named if isinstance(named, str) and (out / named / "manifest.json").is_file() else None
    if path is None:
        return None
    store = ImageStore.open(path)
    wanted = {record.data.content_sha256 for record in records} - {None}
    if wanted and store.manifest["content_sha256"] not in wanted:
        if given is None:
            return None
        raise InputError(f"--store must hold the images of the run, got other images in {given}")
    return store


def cells_shown(out: Path, records: Sequence[Record]) -> Int64Array:
    """Choose the images whose cells a page shows: those of the clustering of the first seed.

    Args:
        out: the folder of the run.
        records: its records.

    Returns:
        Image ids, at most MAX_CELLS, sorted.
    """
    for record in records:
        if record.seed == records[0].seed and (table := _assignments(out, record)) is not None:
            ids = np.unique(table["image"].to_numpy(np.int64))
            step = max(1, math.ceil(len(ids) / MAX_CELLS))
            return np.asarray(ids[::step], dtype=np.int64)
    return np.empty(0, dtype=np.int64)


def make_sprite(store: ImageStore, ids: Int64Array) -> Sprite | None:
    """Put pictures of cells into one image.

    Args:
        store: the store.
        ids: image ids.

    Returns:
        The sprite (WebP); three channels are shown as red, green and blue, any other number as the first one
        in grey. None for no cells.
    """
    rows = pd.Index(store.image_ids).get_indexer(pd.Index(ids))
    ids, rows = ids[rows >= 0], rows[rows >= 0]
    if not len(ids):
        return None
    height = math.ceil(len(ids) / _COLUMNS)
    colour = store.images.shape[1] == 3
    sheet = Image.new("RGB" if colour else "L", (_COLUMNS * _TILE_PX, height * _TILE_PX))
    for place, row in enumerate(rows):
        pixels = store.images[row]
        tile = Image.fromarray(np.moveaxis(pixels, 0, -1) if colour else np.asarray(pixels[0]))
        tile = tile.resize((_TILE_PX, _TILE_PX), Image.Resampling.BILINEAR)
        sheet.paste(tile, (place % _COLUMNS * _TILE_PX, place // _COLUMNS * _TILE_PX))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=70, method=4)
    return Sprite(
        _data_uri("webp", buffer.getvalue()),
        {int(image): place for place, image in enumerate(ids)},
        rows=height,
    )


def umap(out: Path, records: Sequence[Record], sprite: Sprite | None) -> Figure | None:
    """Draw the UMAP of the clustering of every setup, coloured by what the reader chooses.

    Args:
        out: the folder of the run.
        records: its records.
        sprite: the cells' pictures, for the pointer.

    Returns:
        The figure; None where the run has no clustering.
    """
    points, setups = _umap_points(out, records, sprite)
    if not points:
        return None
    common = {by: _common([one[by] for one in points]) for by in _COLOURINGS}
    for one in points:
        for by in _COLOURINGS:
            if one[by] not in common[by]:
                one[f"{by}_all"], one[by] = one[by], "other"
    spec = _umap_spec(points, setups, ["setup", *_COLOURINGS, *(["cell"] if sprite else [])])
    count = len({(one["x"], one["y"]) for one in points if one["setup"] == setups[0]})
    alt = (
        f"UMAP of the embeddings of {count} drug images of the test split for {len(setups)} setups and "
        f"baselines, one at a time, coloured by compound, mechanism, plate or cluster."
    )
    title = "Drug images by similarity of their embeddings"
    return Figure("umap", title, alt, spec, broad=True, sprite="cells" if sprite else "")


def _umap_points(
    out: Path, records: Sequence[Record], sprite: Sprite | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """The cells of every setup that has a clustering, trained ones first, and the names of these setups."""
    shown = set(cells_shown(out, records).tolist())
    points: list[dict[str, Any]] = []
    setups: list[str] = []
    chosen = [r for r in records if r.seed == records[0].seed][:_MAX_SETUPS]
    for record in sorted(chosen, key=lambda one: one.is_baseline):
        table = _assignments(out, record)
        if table is None:
            continue
        setup = printable(record.setup)
        setups.append(setup)
        cells: list[dict[Any, Any]] = table[table["image"].isin(shown)].to_dict("records")
        for one in cells:
            place = None if sprite is None else sprite.place.get(int(one["image"]))
            cluster = int(one["cluster"])
            points.append(
                {
                    "setup": setup,
                    "x": round(float(one["x"]), 2),
                    "y": round(float(one["y"]), 2),
                    "compound": _text(one.get("compound")),
                    "mechanism": _text(one.get("moa")),
                    "plate": _text(one.get("plate")),
                    "cluster": "none" if cluster < 0 else str(cluster),
                    **({} if place is None else {"cell": place}),
                }
            )
    return points, setups


def _umap_spec(points: list[dict[str, Any]], setups: list[str], fields: list[str]) -> dict[str, Any]:
    hidden = {"axis": None, "scale": {"zero": False, "nice": False}}
    legend = {"title": None, "columns": 3, "symbolLimit": _MAX_NAMES + 1}
    return {
        "height": 420,
        "data": {"values": points},
        "params": [
            {
                "name": "setup",
                "value": setups[0],
                "bind": {"input": "select", "options": setups, "name": "setup "},
            },
            {
                "name": "colours",
                "value": _COLOURINGS[0],
                "bind": {"input": "select", "options": list(_COLOURINGS), "name": "colour by "},
            },
        ],
        "transform": [
            {"filter": "datum.setup === setup"},
            {"calculate": "datum[colours]", "as": "group"},
        ],
        "mark": {"type": "point", "filled": True, "size": 45, "opacity": 0.9},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", **hidden},
            "y": {"field": "y", "type": "quantitative", **hidden},
            "color": {
                "field": "group",
                "type": "nominal",
                "scale": {"scheme": "tableau10"},
                "legend": legend,
            },
            "shape": {"field": "group", "type": "nominal", "legend": legend},
            "tooltip": [{"field": key, "type": "nominal"} for key in fields],
        },
    }


def neighbours(out: Path, record: Record, sprite: Sprite) -> Neighbours | None:
    """Find the nearest neighbours of some cells by cosine similarity of their embeddings.

    Args:
        out: the folder of the run.
        record: the setup and seed.
        sprite: the pictures; only cells in it are shown.

    Returns:
        The neighbours; None where the embeddings are not there or name no compounds.
    """
    file = SetupFiles.of(out, record.setup, record.seed).embeddings
    if not file.is_file():
        return None
    embeddings, metadata, _ = read_embeddings(file)
    if not {"Metadata_ImageId", "Metadata_Compound"} <= {*metadata}:
        return None
    ids = metadata["Metadata_ImageId"].to_numpy(np.int64)
    kept = np.flatnonzero(np.isin(ids, list(sprite.place)))
    if len(kept) <= _NEIGHBOURS:
        return None
    vectors = embeddings[kept] - embeddings[kept].mean(axis=0)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    compounds = metadata["Metadata_Compound"].astype(str).to_numpy()[kept]
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :_NEIGHBOURS]
    # one query a compound, spread over the compounds
    first = np.unique(compounds, return_index=True)[1]
    queries = first[np.linspace(0, len(first) - 1, min(_QUERIES, len(first))).astype(int)]
    shown = tuple(
        tuple((sprite.place[int(ids[kept[k]])], printable(compounds[k])) for k in (query, *nearest[query]))
        for query in queries
    )
    agreement = float(np.mean(compounds[nearest] == compounds[:, None]))
    return Neighbours(printable(record.setup), shown, agreement)


def views_picture(store: ImageStore) -> str:
    """Draw the views of the four settings.

    Args:
        store: the store.

    Returns:
        A PNG as a data URI.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = write_views(store, Path(folder) / "views.png", setting="all", images=min(3, len(store)))
        return _data_uri("png", file.read_bytes())


def reconstructions(out: Path, records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    """Read the pictures of what autoencoders make of some images.

    Args:
        out: the folder of the run.
        records: its records.

    Returns:
        (setup, PNG as a data URI) of each setup of the first seed that has one.
    """
    found = []
    for record in records:
        file = SetupFiles.of(out, record.setup, record.seed).reconstructions
        if record.seed == records[0].seed and file.is_file():
            found.append((printable(record.setup), _data_uri("png", file.read_bytes())))
    return tuple(found)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _assignments(out: Path, record: Record) -> pd.DataFrame | None:
    """The table of the clustering with the image id of each row."""
    tables = load_tables(out, [record], name="clustering.assignments")
    table = tables.get((record.setup, record.seed))
    file = SetupFiles.of(out, record.setup, record.seed).embeddings
    if table is None or not len(table) or not file.is_file():
        return None
    metadata = read_metadata(file)
    rows = table["row"].to_numpy(np.int64)
    if rows.max() >= len(metadata) or "Metadata_ImageId" not in metadata:
        return None
    return table.assign(image=metadata["Metadata_ImageId"].to_numpy()[rows])


def _common(names: Sequence[str]) -> set[str]:
    """The names that get a colour of their own: the most frequent ones."""
    return set(pd.Series(list(names)).value_counts().index[:_MAX_NAMES])


def _text(value: Any) -> str:
    return "unknown" if value is None or value != value else printable(str(value))
