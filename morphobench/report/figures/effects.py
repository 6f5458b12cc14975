"""Pictures of the statistics: effects with their intervals, and mean ranks with the critical difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from morphobench.report.figures.quality import colour, plain
from morphobench.report.figures.svg import COLOURS, figure, inline
from morphobench.report.render.formats import ARROWS, number
from morphobench.report.statistics.columns import Column
from morphobench.report.statistics.effects import Effect
from morphobench.report.statistics.ranks import Ranking
from morphobench.run.record import split_name

_KINDS = {
    "main": "over all paradigms",
    "within": "in one paradigm",
    "paradigm": "paradigm against the mean of all",
    "interaction": "interactions",
}
_ROW_IN = 0.17


def effects(found: Sequence[Effect], column: Column, *, name: str) -> str:
    """A mark and an interval for each effect on the metric ``column``, by kind, around a line at no effect.

    A filled mark: the interval excludes 0. ``name``: unique on the page. Empty for no effects.
    """
    rows = [(kind, [one for one in found if one.kind == kind]) for kind in _KINDS]
    rows = [(kind, members) for kind, members in rows if members]
    count = sum(len(members) + 1.3 for _, members in rows)
    if not rows:
        return ""
    with figure(height_in=0.8 + _ROW_IN * count) as made:
        axes = made.add_subplot()
        y, ticks, labels = 0.0, [], []
        for kind, members in rows:
            axes.text(
                0, y - 0.05, _KINDS[kind], transform=axes.get_yaxis_transform(), va="center", fontsize=7,
                fontweight="bold",
            )  # fmt: skip
            for one in members:
                y += 1
                _effect(axes, one, y)
                ticks.append(y)
                labels.append(plain(one.name))
            y += 1.3
        axes.axvline(0, color=COLOURS["baseline"], linewidth=1)
        axes.set_yticks(ticks, labels, fontsize=7)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_ylim(y - 0.6, -0.7)
        unit = f" in {column.unit}" if column.unit else ""
        title = f"effect on {column.label}{unit} {ARROWS[column.direction]}, over {found[0].units}"
        made.suptitle(title, x=0.02, ha="left", fontsize=9)
        main = "; ".join(_sentence(one) for one in found if one.kind == "main")
        return inline(made, name=name, alt=f"Effects on {column.label}. {main}.")


def ranks(ranking: Ranking) -> str:
    """Demšar's picture: setups at their mean ranks, bars over those that do not differ, the critical
    difference.
    """
    if not ranking.ranks or not math.isfinite(ranking.ranks[0]):
        return ""
    count = len(ranking.names)
    half = (count + 1) // 2
    bars = len(ranking.groups)
    top = 1.2 + 0.5 * bars
    with figure(height_in=0.75 + 0.19 * (half + top), width_in=7.0) as made:
        axes = made.add_subplot()
        axes.set_xlim(1 - 0.62 * count, count + 0.62 * count)
        axes.set_ylim(top + half + 0.6, -2.1)
        axes.axis("off")
        axes.plot([1, count], [0, 0], color=COLOURS["ink"], linewidth=1)
        for tick in range(1, count + 1):
            axes.plot([tick, tick], [0, -0.18], color=COLOURS["ink"], linewidth=1)
            axes.text(tick, -0.3, str(tick), ha="center", va="bottom", fontsize=7)
        for position, (name, value) in enumerate(zip(ranking.names, ranking.ranks, strict=True)):
            _ranked(axes, name, value, position, half=half, count=count, top=top)
        for level, (first, last) in enumerate(ranking.groups):
            y = 0.55 + 0.5 * level
            ends = [ranking.ranks[first] - 0.08, ranking.ranks[last] + 0.08]
            axes.plot(ends, [y, y], color=COLOURS["ink"], linewidth=3, solid_capstyle="butt")
        if math.isfinite(ranking.critical_difference):
            width = ranking.critical_difference
            axes.plot([1, 1 + width], [-1.5, -1.5], color=COLOURS["ink"], linewidth=1.2, marker="|")
            axes.text(1 + width + 0.2, -1.5, f"critical difference {width:.1f}", va="center", fontsize=7)
        best = f"{ranking.names[0]} ranks best, {number(ranking.ranks[0], digits=1)}"
        differ = (
            f"Mean ranks differ beyond chance when {number(ranking.critical_difference, digits=1)} apart."
        )
        return inline(
            made,
            name="ranks",
            alt=f"Mean ranks of {count} setups over {ranking.blocks} cell lines: {best}. {differ}",
        )


def _effect(axes: Any, one: Effect, y: float) -> None:
    known = math.isfinite(one.low)
    clear = known and (one.low > 0 or one.high < 0)
    if known:
        axes.plot([one.low, one.high], [y, y], color=COLOURS["ink"], linewidth=1)
    shade = COLOURS["weakly_supervised"]
    axes.plot(
        [one.estimate],
        [y],
        "o",
        color=shade,
        markersize=4.5,
        markerfacecolor=shade if clear else COLOURS["page"],
    )


def _ranked(axes: Any, name: str, value: float, position: int, *, half: int, count: int, top: float) -> None:
    """A setup's name at the side, with a line to its mean rank: the better half left, the other right."""
    left = position < half
    y = top + (position if left else count - 1 - position)
    x = 1 - 0.04 * count if left else count + 0.04 * count
    group, label = split_name(name)
    axes.plot([value, value, x], [0, y, y], color=colour(group), linewidth=1)
    text = f"{plain(group)}: {plain(label)} ({value:.1f})"
    axes.text(
        x, y, f"{text} " if left else f" {text}", ha="right" if left else "left", va="center", fontsize=7
    )


def _sentence(one: Effect) -> str:
    if math.isfinite(one.low):
        return f"{one.name} {one.estimate:+.3f}, 95 % interval {one.low:+.3f} to {one.high:+.3f}"
    return f"{one.name} {one.estimate:+.3f}, no interval: {one.reason}"
