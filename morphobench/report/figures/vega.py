"""Figures as Vega-Lite specifications: interactive on the page, SVG and PNG as files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from morphobench.report.figures.converter import convert
from morphobench.setups import PARADIGMS, SETTINGS

VEGA_LITE = "6.4"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # a name; nothing is fetched from it
_FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_STATIC_WIDTH_PX = 640
LABEL_STEP_PX = 34
"""Height of a row with its label above its mark."""

COLOURS = {
    "ink": "#1b1f24",
    "soft": "#57606a",
    "faint": "#d5dae0",
    "page": "#ffffff",
    "weakly-supervised": "#0072b2",
    "self-supervised": "#c14d00",
    "unsupervised": "#00795a",
    "regularized": "#a3447f",
    "other": "#5b6470",
    "baseline": "#6b7280",
}
"""Colours on a light page; the page has a variable of each name, for light and dark."""

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        name: unique on the page; name of its files.
        title: heading above it.
        alt: what it shows, in words, for those who cannot see it.
        spec: Vega-Lite specification without width, theme and data of others.
        broad: whether it takes the whole width of the page.
        sprite: name of the page's picture of cells that its tooltips show; empty: none.
    """

    name: str
    title: str
    alt: str
    spec: dict[str, Any]
    broad: bool = False
    sprite: str = ""

    def page_spec(self) -> dict[str, Any]:
        """Give the specification for the page: as wide as its place, colours as the page's variables.

        Returns:
            The specification.
        """
        return _complete(self.spec, "container", self.alt)

    def file_spec(self) -> dict[str, Any]:
        """Give the specification for files: a fixed width, colours of a light page.

        Returns:
            The specification, without widgets.
        """
        text = json.dumps(_complete(self.spec, _STATIC_WIDTH_PX, self.alt))
        spec = json.loads(re.sub(r"var\(--([a-z-]+)\)", lambda found: COLOURS[found[1]], text))
        for one in spec.get("params", []):
            one.pop("bind", None)
        return {**spec, "background": COLOURS["page"]}

    def svg(self) -> str:
        """Draw it as an SVG file.

        Returns:
            The file's text.
        """
        return convert("vegalite_to_svg", vl_spec=self.file_spec(), vl_version=VEGA_LITE).decode()

    def png(self) -> bytes:
        """Draw it as a PNG file of twice its size.

        Returns:
            The file's content.
        """
        return convert("vegalite_to_png", vl_spec=self.file_spec(), vl_version=VEGA_LITE, scale=2)


def colour(name: str) -> str:
    """Name a colour of the page.

    Args:
        name: a name of COLOURS, or a paradigm.

    Returns:
        The CSS variable.
    """
    name = name.replace("_", "-")
    return f"var(--{name if name in COLOURS else 'other'})"


def by_paradigm(groups: list[str]) -> dict[str, Any]:
    """Encode paradigms by colour and by shape, so that neither is needed alone.

    Args:
        groups: the groups of the rows.

    Returns:
        The channels ``color`` and ``shape`` of the field "paradigm".
    """
    known = [*(name for name in PARADIGMS if name in groups), *sorted({*groups} - {*PARADIGMS})]
    domain = [name.replace("_", " ") for name in known]
    legend = {"title": None}
    return {
        "color": {
            "field": "paradigm",
            "type": "nominal",
            "scale": {"domain": domain, "range": [colour(name) for name in known]},
            "legend": legend,
        },
        "shape": {
            "field": "paradigm",
            "type": "nominal",
            "scale": {"domain": domain, "range": [SHAPES[k % len(SHAPES)] for k in range(len(known))]},
            "legend": legend,
        },
    }


def setting_place(label: str) -> int:
    """Order a setting as the study does.

    Args:
        label: the setting, with or without an encoder.

    Returns:
        Its place; that of an unknown one comes last.
    """
    setting = label.partition("@")[0]
    return SETTINGS.index(setting) if setting in SETTINGS else len(SETTINGS)


def rows_by(field: str) -> dict[str, Any]:
    """Give each value of a field a row, in the order of the data; labels above the marks are the axis.

    Args:
        field: the field.

    Returns:
        What a figure's specification is to have.
    """
    return {"encoding": {"y": {"field": field, "type": "nominal", "sort": None, "axis": None}}}


def label_layer(text: str = "label") -> dict[str, Any]:
    """Write the label of each row above its mark, at the left edge, where any width has room for it.

    Args:
        text: field of the label.

    Returns:
        A layer for figures with one row a mark.
    """
    mark = {"type": "text", "align": "left", "baseline": "bottom", "yOffset": -3, "fontSize": 12}
    return {
        "mark": {**mark, "color": colour("ink")},
        "encoding": {"text": {"field": text, "type": "nominal"}, "x": {"value": 0}},
    }


def scripts() -> str:
    """Give the scripts of the page: Vega, Vega-Lite, vega-embed in one, then the page's own.

    Returns:
        JavaScript that fetches nothing.
    """
    own = resources.files("morphobench.report.render").joinpath("templates", "report.js").read_text("utf-8")
    return f"{_bundle()}\n{own}"


@cache
def _bundle() -> str:
    """Takes seconds to make, and is the same for every page."""
    text = convert("javascript_bundle", vl_version=VEGA_LITE).decode()
    return re.sub(r"</(script)", r"<\\/\1", text, flags=re.IGNORECASE)


def _complete(spec: dict[str, Any], width: int | str, alt: str) -> dict[str, Any]:
    ink, soft, faint = colour("ink"), colour("soft"), colour("faint")
    config = {
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": ink,
            "titleColor": ink,
            "titleFontWeight": "normal",
            "labelFontSize": 12,
            "titleFontSize": 12,
            "gridColor": faint,
            "domainColor": soft,
            "tickColor": soft,
        },
        "legend": {
            "labelColor": ink,
            "titleColor": ink,
            "labelFontSize": 12,
            "labelLimit": 260,
            "orient": "bottom",
            "columns": 2,
            "symbolSize": 90,
            "symbolStrokeWidth": 1.5,
            "symbolOpacity": 1,
        },
        "text": {"color": ink},
    }
    fit = {"type": "fit-x", "contains": "padding"} if width == "container" else {"type": "pad"}
    head = {"$schema": _SCHEMA, "description": alt, "width": width, "autosize": fit, "background": None}
    return {**head, **spec, "config": config}
