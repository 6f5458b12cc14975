"""A picture of the views that encoders are trained on: one row an image, the image first, then its views."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from morphobench._util.files import file_in_place_of
from morphobench._util.json import read_json
from morphobench._util.text import printable
from morphobench.augment import SPECS, MultiCrop, ViewSpec, view_spec
from morphobench.augment.params import ViewParams, ViewRecord
from morphobench.data import ImageStore
from morphobench.errors import InputError
from morphobench.setups import SETTINGS
from morphobench.types import Float32Array, UInt8Array
from morphobench.types import Path as PathLike

ALL = "all"
"""In place of a setting: the study's four, one under the other."""

_DPI = 100
# Pixels of the picture; a column is at least as wide as its title.
_TILE, _GAP, _CAPTION, _HEADING, _MARGIN, _TITLE = 112, 8, 14, 46, 10, 76


@dataclass(frozen=True)
class _Block:
    """The views of one spec: ``views[v]`` float32 (N, C, S, S), made as ``params`` (V, N) say."""

    heading: str
    spec: ViewSpec
    params: ViewParams
    views: list[Float32Array]


def write_views(
    store: ImageStore,
    out: PathLike,
    *,
    setting: str = "aug_multi_crop",
    spec: PathLike | None = None,
    images: int = 8,
    seed: int = 0,
) -> Path:
    """Write a picture of the views of some images: one row an image, the image first, then its views.

    The images are spread evenly over the store; the views are those of epoch 0 of a run. The crops are
    outlined in the image, in the colour of their view's frame; a caption says what was done beside. Three
    channels are shown as red, green and blue, any other number as the first channel in grey, which the
    heading names.

    Args:
        store: Store of the images.
        out: File to write, in the format that its name ends in.
        setting: One of the study's four settings, or "all".
        spec: JSON file of what ``ViewSpec.describe`` returns, instead of a setting; its normalization is left
            out.
        images: Number of images.
        seed: Random seed of the views.

    Returns:
        Path of the picture.

    Raises:
        InputError: Bad argument, named in the message.
    """
    out = Path(out)
    blocks = [(heading + channel_shown(store), one) for heading, one in _specs(setting, spec)]
    if not 1 <= images <= len(store):
        raise InputError(f"--images must be 1 to the store's {len(store)}, got {images}")
    rows = np.linspace(0, len(store) - 1, images).round().astype(np.int64)
    pictures = np.ascontiguousarray(store.images[rows])
    figure = _figure([_made(*block, pictures, store.image_ids[rows], seed) for block in blocks], pictures)
    known = figure.canvas.get_supported_filetypes()
    if (ending := out.suffix.removeprefix(".").lower()) not in known:
        raise InputError(f"--out must end in one of {', '.join(sorted(known))}, got {out.name}")
    with file_in_place_of(out) as unfinished, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # of a file's name in a script that the font lacks
        figure.savefig(unfinished, dpi=_DPI, format=ending)
        if ending == "png":  # matplotlib writes an alpha channel of no use
            with Image.open(unfinished) as picture:
                opaque = picture.convert("RGB")
            opaque.save(unfinished, "PNG", optimize=True)
    return out


def channel_shown(store: ImageStore) -> str:
    """Say which channel a picture shows where it cannot show all.

    Args:
        store: Store of the images.

    Returns:
        Such as "; shown: DNA"; "" for one or three channels.
    """
    if store.images.shape[1] in (1, 3):
        return ""
    return f"; shown: {printable(store.channel_names[0]) if store.channel_names else 'channel 0'}"


def _specs(setting: str, spec: PathLike | None) -> Iterator[tuple[str, ViewSpec]]:
    """Heading and spec of each block."""
    if spec is not None:
        try:
            described = read_json(Path(spec))
        except InputError as error:
            raise InputError(f"--spec must be a JSON file, but {error}") from error
        yield Path(spec).name, ViewSpec.from_description(described)
    elif setting == ALL:
        yield from SPECS.items()
    elif setting in SETTINGS:
        yield setting, view_spec(setting)
    else:
        raise InputError(f"--setting must be one of {', '.join((*SETTINGS, ALL))}, got {setting!r}")


def _made(heading: str, spec: ViewSpec, pictures: UInt8Array, ids: Any, seed: int) -> _Block:
    shown = replace(spec, mean=(), deviation=())
    crops = MultiCrop(shown, size_px=pictures.shape[-1], seed=seed)
    params = crops.draw(ids, 0, pictures.shape)
    made = crops.apply(pictures, params)
    groups = made if isinstance(made, tuple) else (made,)
    return _Block(heading, shown, params, [view for group in groups for view in group])


class _Page:
    """A figure in pixels from its upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)

    def write(self, text: str, left: int, top: int, **style: Any) -> None:
        """Small text."""
        where = left / self.width, 1 - top / self.height
        self.figure.text(*where, text, va="top", fontsize=7, linespacing=1.1, parse_math=False, **style)

    def show(self, picture: Float32Array, left: int, top: int, zoom: int) -> Any:
        """(C, H, W), each pixel a square of ``zoom`` x ``zoom``; its axes, without ticks or frame."""
        height, width = (zoom * side for side in picture.shape[-2:])
        corner = left / self.width, 1 - (top + height) / self.height
        axes = self.figure.add_axes((*corner, width / self.width, height / self.height))
        shown = np.moveaxis(picture, 0, -1) if len(picture) == 3 else picture[0]
        axes.imshow(shown.clip(0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        return axes


def _figure(blocks: list[_Block], pictures: UInt8Array) -> Any:
    """The blocks beside each other as far as the widest reaches, then under each other."""
    sides = [pictures.shape[-1], *(view.shape[-1] for block in blocks for view in block.views)]
    zoom = max(1, round(_TILE / max(sides)))
    lefts = [_columns(block, pictures.shape[-1], zoom) for block in blocks]
    widest = max(each[-1] for each in lefts)
    height = _HEADING + len(pictures) * (zoom * max(sides) + _CAPTION + _GAP)
    places: list[tuple[int, int]] = []
    left = top = _MARGIN
    for each in lefts:
        if left > _MARGIN and left + each[-1] > _MARGIN + widest:
            left, top = _MARGIN, top + height
        places.append((left, top))
        left += each[-1] + 4 * _GAP
    page = _Page(2 * _MARGIN + widest, top + height + _MARGIN)
    for block, columns, place in zip(blocks, lefts, places, strict=True):
        _draw(page, block, pictures, zoom, [place[0] + column for column in columns], place[1])
    return page.figure


def _columns(block: _Block, image_px: int, zoom: int) -> list[int]:
    """Where the columns of a block begin, the image's first; last, the width of all."""
    lefts = [0]
    for side in (image_px, *(view.shape[-1] for view in block.views)):
        lefts.append(lefts[-1] + max(zoom * side, _TITLE) + _GAP)
    return [*lefts[:-1], lefts[-1] - _GAP]


def _draw(page: _Page, block: _Block, pictures: UInt8Array, zoom: int, lefts: list[int], top: int) -> None:
    page.write(block.heading, lefts[0], top, weight="bold")
    for title, left in zip(["image", *_titles(block.spec)], lefts, strict=False):
        page.write(title, left, top + 17)
    row_height = zoom * max(pictures.shape[-1], *(view.shape[-1] for view in block.views)) + _CAPTION + _GAP
    for row, picture in enumerate(pictures.astype(np.float32) / 255):
        upper = top + _HEADING + row * row_height
        _outline(page.show(picture, lefts[0], upper, zoom), block.params[:, row], picture.shape[-2:])
        for number, (views, left) in enumerate(zip(block.views, lefts[1:], strict=False)):
            record = block.params[number, row]
            axes = page.show(views[row], left, upper, zoom)
            if not _is_whole(record, picture.shape[-2:]):
                axes.spines[:].set(visible=True, edgecolor=_color(number), linewidth=1.5)
            page.write(_caption(record), left, upper + zoom * views.shape[-1] + 3, color="0.35")


def _titles(spec: ViewSpec) -> Iterator[str]:
    number = 0
    for group in spec.groups:
        for _ in range(group.count):
            number += 1
            area = f"\narea {group.scale[0]:.3g}..{group.scale[1]:.3g}" if group.scale != (1.0, 1.0) else ""
            yield f"view {number}{area}"


def _color(view: int) -> str:
    return f"C{view % 10}"


def _is_whole(record: ViewRecord, shape: tuple[int, ...]) -> bool:
    return (int(record["height"]), int(record["width"])) == shape


def _outline(axes: Any, records: ViewParams, shape: tuple[int, ...]) -> None:
    """The windows of the crops in their views' colours."""
    from matplotlib.patches import Rectangle

    for view, record in enumerate(records):
        if not _is_whole(record, shape):
            corner = record["left"] - 0.5, record["top"] - 0.5
            size = int(record["width"]), int(record["height"])
            axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=_color(view), linewidth=1.2))


def _caption(record: ViewRecord) -> str:
    """What was done beside the crop."""
    has = record.dtype.names
    done = {
        "flip": record["flip"],
        "vertical flip": "flip_vertical" in has and record["flip_vertical"],
        f"turn {90 * int(record['quarter_turns'])}" if "quarter_turns" in has else "": (
            "quarter_turns" in has and record["quarter_turns"]
        ),
        f"blur {record['blur_sigma']:.1f}": record["blur_sigma"] > 0,
        "noise": "noise_sigma" in has and record["noise_sigma"] > 0,
    }
    return ", ".join(name for name, was in done.items() if was)
