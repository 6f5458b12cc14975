"""What ``ingest`` understood: classes, compounds, plates, wells, channels, sizes, and what may be wrong."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from morphobench._util.text import printable
from morphobench.data.ingest.field_reader import Levels
from morphobench.data.ingest.listing import Listing
from morphobench.data.ingest.preprocess import Preparation
from morphobench.data.metadata import LIKE_CONTROL, NEGCON, TRT, is_control_name

_COUNTED = {
    "compounds": "Metadata_Compound",
    "plates": "Metadata_Plate",
    "wells": "Metadata_Well",
    "sites": "Metadata_Site",
    "cell lines": "Metadata_CellLine",
}
_SHOWN = 4
_DARK = 8
"""A range so many times as wide as the values makes images nearly black."""

_WHITE = 0.05
"""Largest share of white pixels that is no reason for a warning."""

_DEPTHS = ("uint8", "uint16")
_SHRINKS = 4
_LEFT = "style='text-align:left'"


@dataclass(frozen=True)
class IngestSummary:
    """What went into a store, or would go in.

    Attributes:
        files: number of images in the source (an image of several files counts once).
        images: number of images in the store; None where nothing was read in full.
        rejected: number of inputs that did not go in.
        classes: number of images by control type.
        counts: number of different compounds, plates, wells, sites and cell lines, by name.
        examples: some of the values of each.
        channels: number of channels of the store.
        channel_names: their names; empty where they have none.
        source_shapes: how many images have each shape.
        stored_shape: channels, height and width in the store.
        value_range: how values became 8-bit.
        unused_columns: headings of tables that are not in the store.
        warnings: what may be wrong, in sentences.
        unknown: number of images that have no control type.
        cells: number of cells that were located; None where none were looked for, or not yet.
    """

    files: int
    images: int | None
    rejected: int
    classes: dict[str, int]
    counts: dict[str, int]
    examples: dict[str, list[str]]
    channels: int
    channel_names: list[str]
    source_shapes: dict[str, int]
    stored_shape: list[int]
    value_range: str
    unused_columns: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unknown: int = 0
    cells: int | None = None

    def describe(self) -> dict[str, Any]:
        """Describe it in plain JSON types, for the manifest of a store."""
        return asdict(self)

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> IngestSummary:
        """Make the summary that ``describe`` described.

        Args:
            description: what ``describe`` returned.

        Returns:
            The summary.
        """
        return cls(**description)

    def rows(self) -> list[tuple[str, str]]:
        """List what is shown: a label and a text each."""
        images = f"{self.files:,} in the source"
        if self.cells is not None:
            images += f", {self.cells:,} cells located"
        if self.images is not None:
            images += f", {self.images:,} stored"
        rows = [("images", images + (f", {self.rejected:,} rejected" if self.rejected else ""))]
        kinds = [f"{count:,} {kind}" for kind, count in self.classes.items()]
        if kinds and self.unknown:
            kinds.append(f"{self.unknown:,} not known")
        rows.append(("classes", ", ".join(kinds) or "not known"))
        for name in _COUNTED:
            count = self.counts.get(name, 0)
            shown = ", ".join(self.examples.get(name, ()))
            rows.append(
                (name, f"{count:,}: {shown}{', ...' if count > _SHOWN else ''}" if count else "not known")
            )
        rows.append(("channels", ", ".join(self.channel_names) or f"{self.channels} without names"))
        shapes = sorted(self.source_shapes.items(), key=lambda item: -item[1])
        before = ", ".join(f"{count:,} of {shape}" for shape, count in shapes[:_SHOWN])
        more = f" and {len(shapes) - _SHOWN} more shapes" if len(shapes) > _SHOWN else ""
        rows.append(
            ("sizes", f"{before or 'not known'}{more} -> {'x'.join(map(str, self.stored_shape))} uint8")
        )
        as_they_are = "8-bit, as they are" if self.value_range == "none" else self.value_range
        rows.append(("values", as_they_are))
        if self.unused_columns:
            rows.append(("columns not used", ", ".join(self.unused_columns)))
        return [(label, printable(text)) for label, text in rows]

    def __str__(self) -> str:
        width = max(len(label) for label, _ in self.rows())
        lines = [f"{label:<{width}}  {text}" for label, text in self.rows()]
        return "\n".join([*lines, *(f"warning: {printable(text)}" for text in self.warnings)])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th {_LEFT}>{label}</th><td {_LEFT}>{html.escape(text)}</td></tr>"
            for label, text in [*self.rows(), *(("warning", printable(text)) for text in self.warnings)]
        )
        return f"<table>{cells}</table>"


def summarize(
    listing: Listing,
    plan: Preparation,
    *,
    table: pd.DataFrame,
    images: int | None,
    rejected: int,
    shapes: Counter[str],
    notes: Counter[str],
    levels: Levels | None,
    channels: int,
    channel_names: Iterable[str],
    located: bool,
    cells: int | None,
) -> IngestSummary:
    """Make the summary.

    Args:
        listing: the images of the source.
        plan: how they are prepared.
        table: metadata of the images of the store, or of the source where nothing was read in full.
        images: number of images in the store, if any.
        rejected: number of inputs that did not go in.
        shapes: how many images have each shape.
        notes: notes of how files were read.
        levels: values of the images; None where none was read.
        channels: number of channels of the store.
        channel_names: their names.
        located: whether cells were cut out at their locations.
        cells: number of cells that were located, where it is known.

    Returns:
        The summary.
    """
    counts, examples = {}, {}
    for name, column in _COUNTED.items():
        values = table[column].dropna() if column in table else pd.Series(dtype=object)
        counts[name] = int(values.nunique())
        if column == "Metadata_Well" and {column, "Metadata_Plate"} <= {*table}:
            # A01 of two plates is two wells
            counts[name] = len(table.loc[values.index, ["Metadata_Plate", column]].drop_duplicates())
        examples[name] = [str(value) for value in values.unique()[:_SHOWN]]
    kinds = table.get("Metadata_ControlType", pd.Series(dtype=object)).value_counts()
    value_range = plan.value_range
    return IngestSummary(
        files=len(listing.files),
        images=images,
        rejected=rejected,
        classes={str(kind): int(count) for kind, count in kinds.items()},
        counts=counts,
        examples=examples,
        channels=channels,
        channel_names=list(channel_names),
        source_shapes=dict(shapes),
        stored_shape=[channels, plan.size_px, plan.size_px],
        value_range=value_range
        if isinstance(value_range, str)
        else f"{value_range[0]:g} to {value_range[1]:g}",
        unused_columns=list(listing.unused_columns),
        warnings=[
            *listing.warnings,
            *(f"{count} files: {note}" for note, count in notes.items()),
            *_size_warnings(plan, shapes, located=located),
            *_cell_warnings(plan, cells, images, rejected),
            *_level_warnings(plan, shapes, levels),
            *_class_warnings(table),
        ],
        unknown=len(table) - int(kinds.sum()),
        cells=cells,
    )


def _size_warnings(plan: Preparation, shapes: Counter[str], *, located: bool) -> list[str]:
    if located or plan.tile is not None or plan.fit == "crop":
        return []
    sides = {shape: [int(side) for side in shape.split()[-2].split("x")[-2:]] for shape in shapes}
    squeezed = {shape: side for shape, side in sides.items() if side[0] != side[1]}
    warnings = []
    if squeezed:
        count = sum(shapes[shape] for shape in squeezed)
        height, width = max(squeezed.values(), key=lambda side: max(side) / min(side))
        warnings.append(
            f"{count} of {shapes.total()} images are not square (such as {height} x {width} px) and "
            f"are squeezed to {plan.size_px} x {plan.size_px}: --fit crop cuts out the centre instead"
        )
    large = sum(shapes[shape] for shape, side in sides.items() if min(side) >= _SHRINKS * plan.size_px)
    if large:
        warnings.append(
            f"{large} of {shapes.total()} images are {_SHRINKS} times {plan.size_px} px and larger, "
            "and are shrunk: for fields of many cells, --locations cuts out cells and --tile tiles"
        )
    return warnings


def _cell_warnings(plan: Preparation, cells: int | None, images: int | None, rejected: int) -> list[str]:
    if cells is None or images is None or images == cells:
        return []
    why = [f"their square of {plan.crop_px} px leaves the image (--edge pad fills it up)"]
    why = [*why * (plan.edge == "drop"), *["their image was rejected"] * bool(rejected)]
    return [f"{cells - images:,} of {cells:,} cells were left out: {', or '.join(why)}"]


def _level_warnings(plan: Preparation, shapes: Counter[str], levels: Levels | None) -> list[str]:
    if isinstance(plan.value_range, str) or levels is None:
        return []
    low, high = plan.value_range
    warnings = []
    if levels.largest < low + (high - low) / _DARK:
        warnings.append(
            f"the largest value is {levels.largest}, so images are nearly black in the range {low:g} to "
            f"{high:g}: --range {low:g}:{levels.largest} shows them"
        )
    if levels.above > _WHITE:
        warnings.append(
            f"{100 * levels.above:.0f} % of the pixels are above {high:g} and become white; the largest is "
            f"{levels.largest}"
        )
    few, many = (sum(n for shape, n in shapes.items() if shape.endswith(depth)) for depth in _DEPTHS)
    if few and many:
        warnings.append(f"{few} images are 8-bit and {many} are 16-bit, and one range is taken for both")
    return warnings


def _class_warnings(table: pd.DataFrame) -> list[str]:
    warnings = _name_warnings(table)
    if "Metadata_ControlType" not in table:
        warnings.append("no image is known to be a control or treated: Metadata_ControlType says so")
    elif "Metadata_Plate" in table and table["Metadata_Plate"].notna().any():
        with_controls = (table["Metadata_ControlType"] == NEGCON).groupby(table["Metadata_Plate"]).any()
        without = [str(plate) for plate in with_controls.index[~with_controls]]
        if without:
            shown = ", ".join(without[:_SHOWN]) + (", ..." if len(without) > _SHOWN else "")
            warnings.append(f"{len(without)} of {len(with_controls)} plates have no control: {shown}")
    elif (table["Metadata_ControlType"] != NEGCON).all():
        warnings.append("no image is a control")
    if "Metadata_Plate" not in table and "Metadata_Well" not in table:
        warnings.append("neither plate nor well is known, so splits are by image, which may leak")
    elif "Metadata_Plate" not in table:
        warnings.append("no plate is known, so a well's name means one well, and splits are by well")
    return warnings


def _name_warnings(table: pd.DataFrame) -> list[str]:
    """Warnings of control types that are absent, or disagree with compounds' names."""
    if "Metadata_ControlType" not in table:
        return []
    kinds, warnings = table["Metadata_ControlType"], []
    if kinds.isna().any() and kinds.notna().any():
        warnings.append(
            f"{int(kinds.isna().sum())} images are not known to be a control or treated, and a run needs it "
            "of all: name their compound, or give Metadata_ControlType"
        )
    compounds = table.get("Metadata_Compound", pd.Series(dtype=object))
    named = compounds[kinds == TRT].dropna().astype(str) if len(compounds) else compounds
    like = [name for name in named.unique() if is_control_name(name) or LIKE_CONTROL.fullmatch(name)]
    if like:
        warnings.append(
            f"{int(named.isin(like).sum())} images count as treated though their compound's name speaks of a "
            f"control, such as {like[0]}: Metadata_ControlType says what is one"
        )
    return warnings
