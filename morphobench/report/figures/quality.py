"""Figures of a run: quality against cost, quality with intervals, learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from morphobench.report.figures.vega import (
    LABEL_STEP_PX,
    Figure,
    by_paradigm,
    colour,
    label_layer,
    rows_by,
    setting_place,
)
from morphobench.report.render.formats import Format, bounds, number
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.table import Cell, Row, best_of
from morphobench.report.summary import Summary
from morphobench.run.record import split_name


def plain(name: str) -> str:
    """Write a name as people read it.

    Args:
        name: such as "no_aug_multi_crop".

    Returns:
        Such as "no aug multi crop".
    """
    return name.replace("_", " ")


def quality_against_cost(summary: Summary, *, quality: Column, cost: Column) -> Figure | None:
    """Draw quality over cost: a mark a setup, the undominated front, the best baseline.

    Args:
        summary: the summary.
        quality: the quality, upwards.
        cost: the cost, to the right, on a logarithmic scale.

    Returns:
        The figure; None where no setup has both.
    """
    form, shown = Format.of(cost, summary.rows), Format.of(quality, summary.rows)
    rows = [
        row
        for row in summary.setups
        if math.isfinite(row.cells[quality.key].value) and row.cells[cost.key].value > 0
    ]
    if not rows:
        return None
    points: list[dict[str, Any]] = [
        {
            "setup": row.title,
            "paradigm": plain(row.group),
            "cropping": "multi-crop" if "multi_crop" in row.label else "one crop",
            "cost": row.cells[cost.key].value / form.divisor,
            "value": row.cells[quality.key].value,
            **_reach(row.cells[quality.key]),
            quality.label: shown.value(row.cells[quality.key]),
            "95 % interval": shown.bounds(row.cells[quality.key]),
            cost.label: f"{form.value(row.cells[cost.key])} {form.unit}",
        }
        for row in rows
    ]
    front = _front(points, quality.sign)
    x = {
        "field": "cost",
        "type": "quantitative",
        "scale": {"type": "log", "nice": False, "padding": 20},
        "axis": {"title": form.title, "grid": False, "tickCount": 5, "format": "~g"},
    }
    y = {"type": "quantitative", "scale": {"zero": False}, "title": shown.title}
    tooltip = [
        {"field": key, "type": "nominal"} for key in ("setup", quality.label, "95 % interval", cost.label)
    ]
    layers = [
        *_cost_layers(front, by_paradigm([row.group for row in rows]), x, y, tooltip),
        *_baseline_layers(summary, quality, axis="y"),
    ]
    best = max(points, key=lambda one: quality.sign * float(one["value"]))
    names = ", ".join(one["setup"] for one in front)
    alt = (
        f"Scatter of {quality.label} against {cost.label} for {len(points)} setups. Best {quality.label}: "
        f"{best['setup']}, {number(best['value'])} at {number(best['cost'], digits=2)} {form.unit}. "
        f"Not beaten in both at once: {names}."
    )
    title = f"{quality.label} against {cost.label}; filled: multi-crop, open: one crop"
    spec = {"height": 360, "data": {"values": points}, "layer": layers}
    return Figure(f"cost-{_slug(quality.key)}", title, alt, spec)


def _cost_layers(
    front: Sequence[Mapping[str, Any]],
    marks: Mapping[str, Any],
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    tooltip: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """The front as a line, intervals, and a mark a setup: open for one crop, filled for multi-crops."""
    return [
        {
            "data": {"values": front},
            "mark": {
                "type": "line",
                "interpolate": "step-after",
                "color": colour("soft"),
                "strokeWidth": 1.5,
            },
            "encoding": {"x": x, "y": {**y, "field": "value"}},
        },
        {
            "mark": {"type": "rule", "opacity": 0.35},
            "encoding": {
                "x": x,
                "y": {**y, "field": "low"},
                "y2": {"field": "high"},
                "color": marks["color"],
            },
        },
        _points("one crop", {"x": x, "y": {**y, "field": "value"}, **marks, "tooltip": tooltip}),
        _points("multi-crop", {"x": x, "y": {**y, "field": "value"}, **marks, "tooltip": tooltip}),
    ]


def intervals(summary: Summary, column: Column) -> Figure | None:
    """Draw one quantity of every setup and baseline with its interval, or its deviation over seeds.

    Args:
        summary: the summary.
        column: the quantity.

    Returns:
        The figure; None where no row has a value.
    """
    form = Format.of(column, summary.rows)
    rows = [row for row in summary.rows if math.isfinite(row.cells[column.key].value)]
    if not rows:
        return None
    points = []
    for row in rows:
        cell = row.cells[column.key]
        reach = {key: value / form.divisor for key, value in _reach(cell).items()}
        text = f"{form.value(cell)}{form.mark(cell)}"
        points.append(
            {
                "setup": row.title,
                "label": f"{row.title}  {text}",
                "paradigm": plain(row.group),
                "value": cell.value / form.divisor,
                **reach,
                column.label: text,
                "95 % interval": form.bounds(cell),
            }
        )
    scale = {"zero": False, "domain": _domain(summary, column, form.divisor), "nice": True}
    x = {"type": "quantitative", "scale": scale, "title": form.title}
    groups = by_paradigm([row.group for row in rows])
    layers = [
        label_layer(),
        {
            "mark": {"type": "rule", "yOffset": 6, "strokeWidth": 2, "clip": True},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "color": groups["color"]},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 80, "yOffset": 6, "opacity": 1, "clip": True},
            "encoding": {
                "x": {**x, "field": "value"},
                **groups,
                "tooltip": [
                    {"field": key, "type": "nominal"} for key in ("setup", column.label, "95 % interval")
                ],
            },
        },
        *([] if column.is_cost else _baseline_layers(summary, column, axis="x")),
    ]
    spec = {
        "height": {"step": LABEL_STEP_PX},
        "data": {"values": points},
        "layer": layers,
        **rows_by("setup"),
    }
    return Figure(f"quality-{_slug(column.key)}", form.title, _intervals_alt(column, form, rows), spec)


def learning_curves(summary: Summary, *, paradigm: str) -> Figure | None:
    """Draw training and validation loss by epoch of one paradigm's settings, a line a seed.

    Args:
        summary: the summary.
        paradigm: the paradigm.

    Returns:
        The figure; None where no record of it has two epochs or more.
    """
    points: list[dict[str, Any]] = [
        {
            "setting": plain(split_name(name)[1]),
            "place": setting_place(split_name(name)[1]),
            "line": f"{name} {number} {part}",
            "part": part,
            "epoch": epoch.epoch,
            "loss": loss,
        }
        for number, (name, history) in enumerate(summary.histories)
        if split_name(name)[0] == paradigm
        for epoch in history
        for part, terms in (("training", epoch.training), ("validation", epoch.validation or {}))
        if (loss := terms.get("loss")) is not None
    ]
    if not points:
        return None
    settings = sorted({(one["place"], one["setting"]) for one in points})
    names = [name for _, name in settings]
    encoding = {
        "x": {"field": "epoch", "type": "quantitative", "axis": {"tickMinStep": 1, "format": "d"}},
        "y": {"field": "loss", "type": "quantitative", "scale": {"zero": False}, "title": "loss ↓"},
        "detail": {"field": "line", "type": "nominal"},
        "color": {
            "field": "setting",
            "type": "nominal",
            "scale": {"domain": names, "range": [colour(group) for group in _HUES[: len(names)]]},
            "legend": {"title": None},
        },
        "strokeDash": {
            "field": "part",
            "type": "nominal",
            "scale": {"domain": ["training", "validation"], "range": [[4, 3], [1, 0]]},
            "legend": {"title": None},
        },
        "tooltip": [{"field": key, "type": "nominal"} for key in ("setting", "part", "epoch", "loss")],
    }
    spec = {
        "height": 240,
        "data": {"values": points},
        "mark": {"type": "line", "point": {"size": 25, "filled": True}, "strokeWidth": 1.5},
        "encoding": encoding,
    }
    last = max(one["epoch"] for one in points)
    alt = (
        f"Learning curves of {plain(paradigm)}: training and validation loss of {len(names)} settings over "
        f"{last} epochs."
    )
    return Figure(f"curves-{_slug(paradigm)}", plain(paradigm), alt, spec)


_HUES = ("weakly_supervised", "self_supervised", "unsupervised", "regularized", "other")


def _points(cropping: str, encoding: dict[str, Any]) -> dict[str, Any]:
    """A layer of the setups of one cropping: multi-crop filled, one crop open."""
    filled = cropping == "multi-crop"
    return {
        "transform": [{"filter": f"datum.cropping === '{cropping}'"}],
        "mark": {"type": "point", "size": 110, "strokeWidth": 2, "filled": filled, "opacity": 1},
        "encoding": encoding,
    }


def _reach(cell: Cell) -> dict[str, float]:
    """What a whisker spans: the interval, else one deviation to each side, else nothing."""
    if math.isfinite(cell.low):
        return {"low": cell.low, "high": cell.high}
    spread = cell.deviation if math.isfinite(cell.deviation) else 0.0
    return {"low": cell.value - spread, "high": cell.value + spread}


def _domain(summary: Summary, column: Column, divisor: float) -> list[float]:
    """From all values, but of baselines farther from the setups than these span: named with numbers only."""
    cells = [row.cells[column.key] for row in summary.setups if math.isfinite(row.cells[column.key].value)]
    best = best_of([row.cells[column.key].value for row in summary.baselines], column)
    ends = [end / divisor for cell in cells for end in _reach(cell).values()]
    ends += [best / divisor] if math.isfinite(best) else []
    if ends:
        low, high = min(ends), max(ends)
        others = [row.cells[column.key].value / divisor for row in summary.baselines]
        ends += [value for value in others if 2 * low - high <= value <= 2 * high - low]
    margin = 0.04 * (max(ends) - min(ends)) or 0.05 if ends else 1.0
    return [min(ends, default=0.0) - margin, max(ends, default=1.0) + margin]


def _front(points: Sequence[dict[str, Any]], sign: int) -> list[dict[str, Any]]:
    """The points that none is both cheaper and better than, by cost."""
    found: list[dict[str, Any]] = []
    for one in sorted(points, key=lambda point: (point["cost"], -sign * point["value"])):
        if not found or sign * one["value"] > sign * found[-1]["value"]:
            found.append(one)
    return found


def _baseline_layers(summary: Summary, column: Column, *, axis: str) -> list[dict[str, Any]]:
    """A dashed line at the best baseline, named where the line is horizontal."""
    values = [(row.cells[column.key].value, row.label) for row in summary.baselines]
    best = best_of([value for value, _ in values], column)
    if not math.isfinite(best):
        return []
    name = next(label for value, label in values if value == best)
    data = {"values": [{"value": best, "name": f"best baseline: {plain(name)}"}]}
    place = {axis: {"field": "value", "type": "quantitative"}}
    rule = {"type": "rule", "strokeDash": [5, 4], "color": colour("baseline"), "strokeWidth": 1.5}
    free = {"x": {"value": 0}, "x2": {"value": "width"}} if axis == "y" else {}
    layers: list[dict[str, Any]] = [
        {"data": data, "mark": rule, "encoding": {**place, **({} if axis == "y" else {"y": None})}}
    ]
    if free:
        text = {"type": "text", "align": "right", "baseline": "bottom", "dx": -4, "dy": -3, "fontSize": 11}
        label = {**place, "x": {"value": "width"}, "text": {"field": "name", "type": "nominal"}}
        layers.append({"data": data, "mark": {**text, "color": colour("baseline")}, "encoding": label})
    return layers


def _intervals_alt(column: Column, form: Format, rows: Sequence[Row]) -> str:
    way = {"up": "more is better", "down": "less is better", "none": "descriptive"}[column.direction]
    best = next((row for row in rows if row.cells[column.key].best), None)
    text = f"{column.label} of {len(rows)} setups and baselines ({way})."
    if best is not None:
        cell = best.cells[column.key]
        text += f" Best setup: {best.title}, {form.value(cell)} {form.unit}".rstrip()
        interval = bounds(cell.low / form.divisor, cell.high / form.divisor)
        text += f", 95 % interval {interval}." if math.isfinite(cell.low) else "."
    return text


def _slug(key: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in key)
