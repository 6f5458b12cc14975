"""Figure of a run: every setup by every column of the main table, shaded from worst to best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from morphobench.report.figures.vega import LABEL_STEP_PX, Figure, colour, label_layer, rows_by
from morphobench.report.render.formats import Format
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.table import best_of
from morphobench.report.summary import Summary

_HEADING = "split(width < 700 ? datum.label : replace(datum.label, '- ', ''), ' ')"
"""Labels of the heat map: a word a line, long words parted where there is little room."""


def heat_map(summary: Summary) -> Figure | None:
    """Draw every setup by every column of the main table, shaded from the worst to the best of the column.

    Args:
        summary: the summary.

    Returns:
        The figure; None without setups.
    """
    columns = [column for column in summary.columns if column.direction != "none"]
    if not summary.setups or not columns:
        return None
    cells = _heat_cells(summary, columns)
    spec = {
        "height": {"step": LABEL_STEP_PX + 2},
        "data": {"values": cells},
        "layer": _heat_layers(cells),
        **rows_by("setup"),
    }
    alt = (
        f"Heat map of {len(summary.setups)} setups by {len(columns)} columns, dark for the best of a column: "
        + "; ".join(_best_in(summary, column) for column in columns)
        + "."
    )
    return Figure("heat-map", "All setups by all columns; dark: the best of a column", alt, spec, broad=True)


def _heat_cells(summary: Summary, columns: Sequence[Column]) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = []
    for column in columns:
        form = Format.of(column, summary.rows)
        values = [row.cells[column.key].value for row in summary.setups]
        best = best_of(values, column)
        worst = max((abs(v - best), v) for v in values if math.isfinite(v))[1] if math.isfinite(best) else 0.0
        span = abs(worst - best)
        for row, value in zip(summary.setups, values, strict=True):
            share = 1 - abs(value - best) / span if span else 0.5
            cells.append(
                {
                    "setup": row.title,
                    "label": row.title if column is columns[0] else "",
                    "column": f"{column.heading} {form.unit}".rstrip(),
                    "text": form.value(row.cells[column.key]).partition("±")[0],
                    "share": share if math.isfinite(value) else None,  # without a value no shade
                    column.label: form.value(row.cells[column.key]),
                }
            )
    return cells


def _heat_layers(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    order = list(dict.fromkeys(cell["column"] for cell in cells))
    x = {
        "field": "column",
        "type": "nominal",
        "sort": order,
        "axis": {"orient": "top", "title": None, "labelAngle": 0, "domain": False, "ticks": False,
                 "labelExpr": _HEADING, "labelFontSize": 11, "labelBaseline": "top", "labelPadding": 44},
    }  # fmt: skip
    band = {"type": "rect", "yOffset": 7, "height": 18, "cornerRadius": 2}
    shade = {
        "field": "share",
        "type": "quantitative",
        "scale": {"scheme": "blues", "domain": [-0.15, 1.15]},
        "legend": None,
    }
    return [
        {"mark": band, "encoding": {"x": x, "color": shade}},
        {
            "mark": {"type": "text", "yOffset": 7, "fontSize": 11},
            "encoding": {
                "x": x,
                "text": {"field": "text", "type": "nominal"},
                "color": {
                    "condition": [
                        {"test": "datum.share > 0.55", "value": "#ffffff"},
                        {"test": "datum.share !== null", "value": "#101418"},
                    ],
                    "value": colour("ink"),
                },
                "tooltip": [{"field": key, "type": "nominal"} for key in ("setup", "column", "text")],
            },
        },
        label_layer(),
    ]


def _best_in(summary: Summary, column: Column) -> str:
    best = next((row.title for row in summary.setups if row.cells[column.key].best), "none")
    return f"{column.label}: {best}"
