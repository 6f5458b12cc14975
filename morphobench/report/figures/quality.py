"""Pictures of a run: quality against time, bars with intervals, learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from morphobench.report.figures.svg import COLOURS, figure, inline
from morphobench.report.render.formats import Format, number
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.table import Cell, Row
from morphobench.report.summary import Summary
from morphobench.run.record import split_name
from morphobench.setups import PARADIGMS, SETTINGS

_MARKERS = dict(zip(SETTINGS, ("o", "s", "^", "D"), strict=True))
_LINES: dict[str, dict[str, Any]] = {
    "no_aug_one_crop": {"color": COLOURS["unsupervised"], "linestyle": "--"},
    "aug_one_crop": {"color": COLOURS["unsupervised"], "linestyle": "-"},
    "no_aug_multi_crop": {"color": COLOURS["weakly_supervised"], "linestyle": "--"},
    "aug_multi_crop": {"color": COLOURS["weakly_supervised"], "linestyle": "-"},
}
_ROW_IN = 0.17


def colour(group: str) -> str:
    """The stand-in colour of a paradigm, of baselines, or of anything else."""
    return COLOURS.get(group, COLOURS["other"])


def plain(name: str) -> str:
    """``no_aug_multi_crop`` as people read it."""
    return name.replace("_", " ")


def quality_against_cost(table: Summary, *, quality: Column, cost: Column) -> str:
    """A scatter of one quality over one cost (logarithmic), a mark a setup, baselines as a dashed line.

    Empty where no setup has both.
    """
    form = Format.of(cost, table.rows)
    points = [
        (row, row.cells[quality.key], row.cells[cost.key].value / form.divisor)
        for row in table.setups
        if math.isfinite(row.cells[quality.key].value) and math.isfinite(row.cells[cost.key].value)
    ]
    if not points:
        return ""
    with figure(height_in=3.9) as made:
        axes = made.add_subplot()
        for row, cell, x in points:
            low, high = _reach(cell)
            axes.plot([x, x], [low, high], color=colour(row.group), linewidth=0.8, alpha=0.6)
            marker = _MARKERS.get(row.label, "P")
            axes.plot([x], [cell.value], marker, color=colour(row.group), markersize=6)
        _baseline_line(axes, table, quality, horizontal=True)
        axes.set_xscale("log")
        _plain_log_ticks(axes.xaxis)
        axes.set_xlabel(form.title)
        axes.set_ylabel(Format.of(quality, table.rows).title)
        _legend(made, [row for row, _, _ in points])
        best = max(points, key=lambda point: point[1].value * (-1 if quality.direction == "down" else 1))
        alt = (
            f"Scatter of {quality.label} against {cost.label} for {len(points)} setups. "
            f"Best {quality.label}: {best[0].name}, {number(best[1].value)} "
            f"at {number(best[2], digits=2)} {form.unit}."
        )
        return inline(made, name=f"scatter-{_slug(quality.key)}", alt=alt)


def bars(table: Summary, column: Column) -> str:
    """Bars of one quantity, a bar a setup by paradigm, baselines in grey, intervals or deviations as
    whiskers.

    Empty where no row has a value.
    """
    form = Format.of(column, table.rows)
    rows = [row for row in table.rows if math.isfinite(row.cells[column.key].value)]
    if not rows:
        return ""
    places = _places(rows)
    top, bottom = places[0] - 1.4, places[-1] + 0.6  # the first paradigm's name has its room
    with figure(height_in=0.75 + _ROW_IN * (bottom - top)) as made:
        axes = made.add_subplot()
        for row, y in zip(rows, places, strict=True):
            cell = row.cells[column.key]
            axes.barh(y, cell.value / form.divisor, height=0.72, color=colour(row.group))
            low, high = (bound / form.divisor for bound in _reach(cell))
            for ink, width in (("page", 2.6), ("ink", 1.0)) if low < high else ():
                axes.plot([low, high], [y, y], color=COLOURS[ink], linewidth=width)
            axes.annotate(
                f"{form.value(cell)}{form.mark(cell)}", (max(high, 0.0), y), (4, 0),
                textcoords="offset points", va="center", fontsize=7,
                fontweight="bold" if cell.best else "normal",
            )  # fmt: skip
        if not column.is_cost:
            _baseline_line(axes, table, column, horizontal=False)
        axes.set_yticks(places, [plain(row.label) for row in rows], fontsize=7)
        for label, row in zip(axes.get_yticklabels(), rows, strict=True):
            label.set_color(colour(row.group))
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_ylim(bottom, top)
        left, right = axes.get_xlim()
        axes.set_xlim(left, right + 0.2 * (right - left))
        axes.set_title(form.title)
        _group_names(axes, rows, places)
        return inline(made, name=f"bars-{_slug(column.key)}", alt=_bars_alt(column, form, rows))


def learning_curves(summary: Summary, *, paradigm: str) -> str:
    """Training and validation loss by epoch of one paradigm's settings, a line a seed.

    Empty where no record of it has a history of two epochs or more.
    """
    curves = [
        (split_name(name)[1], history)
        for name, history in summary.histories
        if split_name(name)[0] == paradigm
    ]
    if not curves:
        return ""
    with figure(height_in=2.5) as made:
        for place, part in enumerate(("training", "validation")):
            axes = made.add_subplot(1, 2, place + 1)
            labelled: set[str] = set()
            for setting, history in curves:
                known = [
                    (point.epoch, values.get("loss")) for point in history if (values := getattr(point, part))
                ]
                known = [(epoch, loss) for epoch, loss in known if loss is not None]
                style = _LINES.get(setting, {"color": COLOURS["other"], "linestyle": "-"})
                label = None if setting in labelled else plain(setting)
                labelled.add(setting)
                marker = "." if len(known) < 12 else ""
                axes.plot(
                    *zip(*known, strict=True), marker=marker, linewidth=1.2, label=label, **style
                ) if known else None
            axes.set_title(f"{part} loss ↓")
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
        made.suptitle(
            plain(paradigm), x=0.02, ha="left", fontsize=9, fontweight="bold", color=colour(paradigm)
        )
        handles, labels = made.axes[0].get_legend_handles_labels()
        made.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=7)
        alt = f"Learning curves of {plain(paradigm)}: training and validation loss, {len(curves)} lines each."
        return inline(made, name=f"curves-{_slug(paradigm)}", alt=alt)


def _reach(cell: Cell) -> tuple[float, float]:
    """What the whisker spans: the interval, else one deviation to each side, else nothing."""
    if math.isfinite(cell.low):
        return cell.low, cell.high
    if math.isfinite(cell.deviation):
        return cell.value - cell.deviation, cell.value + cell.deviation
    return cell.value, cell.value


def _places(rows: Sequence[Row]) -> list[float]:
    """Heights of the bars, with room above each paradigm for its name."""
    places, y, group = [], -1.0, None
    for row in rows:
        y += 1.0 if row.group == group else 1.9
        group = row.group
        places.append(y)
    return places


def _group_names(axes: Any, rows: Sequence[Row], places: Sequence[float]) -> None:
    """Writes each paradigm above its bars, so that colour is not the only sign."""
    transform = axes.get_yaxis_transform()
    seen: set[str] = set()
    for row, y in zip(rows, places, strict=True):
        if row.group not in seen:
            seen.add(row.group)
            axes.text(
                0, y - 0.9, plain(row.group), transform=transform, va="center", fontsize=7, fontweight="bold",
                color=colour(row.group),
            )  # fmt: skip


def _baseline_line(axes: Any, table: Summary, column: Column, *, horizontal: bool) -> None:
    values = [
        (row.cells[column.key].value, row.label)
        for row in table.baselines
        if math.isfinite(row.cells[column.key].value)
    ]
    if not values or column.direction == "none":
        return
    value, name = max(values) if column.direction == "up" else min(values)
    draw = axes.axhline if horizontal else axes.axvline
    draw(value, color=COLOURS["baseline"], linestyle="--", linewidth=1.2)
    if horizontal:
        axes.annotate(
            f"best baseline: {plain(name)}", (0.99, value), xycoords=axes.get_yaxis_transform(), ha="right",
            va="bottom", xytext=(0, 3), textcoords="offset points", fontsize=7, zorder=1,
            color=COLOURS["baseline"],
        )  # fmt: skip


def _plain_log_ticks(axis: Any) -> None:
    """Few ticks as plain numbers: 1, 2, 5, 10 and not powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _legend(made: Any, rows: Sequence[Row]) -> None:
    from matplotlib.lines import Line2D

    groups, labels = dict.fromkeys(row.group for row in rows), dict.fromkeys(row.label for row in rows)
    handles = [
        Line2D([], [], color=colour(group), marker="o", linestyle="", markersize=6, label=plain(group))
        for group in sorted(groups, key=lambda g: PARADIGMS.index(g) if g in PARADIGMS else 99)
    ] + [
        Line2D(
            [],
            [],
            color=COLOURS["ink"],
            marker=_MARKERS.get(label, "P"),
            linestyle="",
            markersize=5,
            label=plain(label),
        )
        for label in sorted(labels, key=lambda s: SETTINGS.index(s) if s in SETTINGS else 99)
    ]
    made.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=7)


def _bars_alt(column: Column, form: Format, rows: Sequence[Row]) -> str:
    way = {"up": "more is better", "down": "less is better", "none": "descriptive"}[column.direction]
    best = next((row for row in rows if row.cells[column.key].best), None)
    text = f"Bars of {column.label} for {len(rows)} setups and baselines ({way})."
    if best is not None:
        text += f" Best setup: {best.name}, {form.value(best.cells[column.key])} {form.unit}".rstrip() + "."
    return text


def _slug(key: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in key)
