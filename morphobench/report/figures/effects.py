"""Figures of the statistics: effects with their intervals, and mean ranks with the critical difference."""

from __future__ import annotations

import math
from collections.abc import Sequence

from morphobench.report.figures.quality import plain
from morphobench.report.figures.vega import LABEL_STEP_PX, Figure, colour, label_layer
from morphobench.report.render.formats import ARROWS, number, signed
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.effects import Effect
from morphobench.report.statistics.ranks import Ranking

_KINDS = {"main": "over all paradigms", "within": "in one paradigm", "paradigm": "against the mean of all"}


def effects(found: Sequence[Effect], column: Column, *, name: str) -> Figure | None:
    """Draw a mark and an interval for each effect on a metric, around a line at no effect.

    Args:
        found: the effects; interactions are left to the tables.
        column: the metric.
        name: unique on the page.

    Returns:
        The figure; None for no effects.
    """
    shown = [one for kind in _KINDS for one in found if one.kind == kind]
    if not shown:
        return None
    values = []
    for one in shown:
        known = math.isfinite(one.low)
        values.append(
            {
                "row": f"{one.kind} {one.name}",
                "label": f"{_label(one)}  {signed(one.estimate)}",
                "estimate": one.estimate,
                "low": one.low if known else one.estimate,
                "high": one.high if known else one.estimate,
                "clear": "interval excludes 0" if known and (one.low > 0 or one.high < 0) else "may be 0",
                "interval": f"{signed(one.low)} to {signed(one.high)}" if known else one.reason,
            }
        )
    unit = f" in {column.unit}" if column.unit else ""
    x = {"type": "quantitative", "title": f"effect on {column.label}{unit} {ARROWS[column.direction]}"}
    layers = [
        {"data": {"values": [{"zero": 0}]}, "mark": {"type": "rule", "color": colour("soft")},
         "encoding": {"x": {**x, "field": "zero"}, "y": None}},
        label_layer(),
        {"mark": {"type": "rule", "yOffset": 6, "strokeWidth": 2, "color": colour("weakly-supervised")},
         "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}}},
        {
            "mark": {"type": "point", "yOffset": 6, "size": 80, "strokeWidth": 2, "opacity": 1,
                     "stroke": colour("weakly-supervised")},
            "encoding": {
                "x": {**x, "field": "estimate"},
                "fill": {
                    "field": "clear", "type": "nominal", "legend": {"title": None},
                    "scale": {"domain": ["interval excludes 0", "may be 0"],
                              "range": [colour("weakly-supervised"), colour("page")]},
                },
                "tooltip": [{"field": key, "type": "nominal"} for key in ("label", "interval", "clear")],
            },
        },
    ]  # fmt: skip
    rows = {"y": {"field": "row", "type": "nominal", "sort": None, "axis": None}}
    data = {"values": values}
    spec = {"height": {"step": LABEL_STEP_PX}, "data": data, "layer": layers, "encoding": rows}
    main = "; ".join(_sentence(one) for one in shown if one.kind == "main")
    title = f"Effects on {column.label}, over {found[0].units}"
    return Figure(name, title, f"Effects on {column.label}. {main}.", spec)


def ranks(ranking: Ranking) -> Figure | None:
    """Draw mean ranks, each with half the critical difference to both sides.

    Args:
        ranking: the ranking.

    Returns:
        The figure: setups whose lines do not overlap differ. None where the ranks cannot be compared.
    """
    if not ranking.ranks or ranking.reason or not math.isfinite(ranking.critical_difference):
        return None
    half = ranking.critical_difference / 2
    values = [
        {"setup": name, "label": f"{name}  {number(rank, digits=1)}", "rank": rank, "low": rank - half,
         "high": rank + half}
        for name, rank in zip(ranking.names, ranking.ranks, strict=True)
    ]  # fmt: skip
    x = {"type": "quantitative", "title": "mean rank (1 is best)", "scale": {"zero": False}}
    layers = [
        label_layer(),
        {"mark": {"type": "rule", "yOffset": 6, "strokeWidth": 2, "color": colour("weakly-supervised")},
         "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}}},
        {"mark": {"type": "point", "filled": True, "yOffset": 6, "size": 80, "opacity": 1,
                  "color": colour("weakly-supervised")},
         "encoding": {"x": {**x, "field": "rank"}}},
    ]  # fmt: skip
    rows = {"y": {"field": "setup", "type": "nominal", "sort": None, "axis": None}}
    data = {"values": values}
    spec = {"height": {"step": LABEL_STEP_PX}, "data": data, "layer": layers, "encoding": rows}
    alt = (
        f"Mean ranks of {len(values)} setups over {ranking.blocks} cell lines: {ranking.names[0]} ranks "
        f"best, {number(ranking.ranks[0], digits=1)}. Mean ranks differ beyond chance when "
        f"{number(ranking.critical_difference, digits=1)} apart."
    )
    return Figure("ranks", "Mean ranks by ROC AUC; lines that do not overlap differ", alt, spec)


def _label(one: Effect) -> str:
    return plain(one.name) if one.kind == "within" else f"{plain(one.name)}, {_KINDS[one.kind]}"


def _sentence(one: Effect) -> str:
    if math.isfinite(one.low):
        return f"{one.name} {one.estimate:+.3f}, 95 % interval {one.low:+.3f} to {one.high:+.3f}"
    return f"{one.name} {one.estimate:+.3f}, no interval: {one.reason}"
