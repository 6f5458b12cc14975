"""The report of a run: one page, OUT/report.html, with everything in it and nothing fetched from
elsewhere.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from morphobench._util.files import write_whole
from morphobench._util.typed import to_json_types
from morphobench.report.columns import PRIMARY, Column
from morphobench.report.facts import warnings
from morphobench.report.figures import effects as plots_stats
from morphobench.report.figures import quality as plots
from morphobench.report.load import load_records, load_tables
from morphobench.report.render.formats import ARROWS, Format
from morphobench.report.render.numbers import number
from morphobench.report.statistics.analysis import Findings, Tables, analyse
from morphobench.report.statistics.effects import Effect
from morphobench.report.statistics.table import Row, Table, build_table
from morphobench.run.record import Record
from morphobench.types import Path


def write_report(out: Path) -> pathlib.Path:
    """Writes OUT/report.html from OUT/results.jsonl and returns its path.

    The page holds its pictures (SVG) and style; it needs no network and no script. InputError where OUT
    holds no readable records or records of two protocols.
    """
    folder = pathlib.Path(out)
    records = load_records(folder)
    predictions = load_tables(folder, records, name="classification.predictions")
    by_cell_line = load_tables(folder, records, name="classification.by_cell_line")
    page = folder / "report.html" if folder.is_dir() else folder.with_name("report.html")
    write_whole(page, render(records, predictions=predictions, by_cell_line=by_cell_line))
    return page


def render(
    records: Sequence[Record],
    *,
    predictions: Tables | None = None,
    by_cell_line: Tables | None = None,
    known: Mapping[str, Column] | None = None,
) -> str:
    """The page's HTML.

    ``predictions`` and ``by_cell_line``: the classification's tables by setup and seed, for the statistics
    that need them. ``known``: what is known of metrics (default: what the evaluation declares).
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    table = build_table(records, known=known)
    everything = build_table(records, all_metrics=True, known=known)
    quality = [column for column in table.columns if not column.is_cost]
    findings = analyse(records, quality, predictions=predictions or {}, by_cell_line=by_cell_line or {})
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = [
        (title, lead, [Markup(svg) for svg in found if svg])  # noqa: S704 - drawn here, its texts are escaped
        for title, lead, found in (*_pictures(table, records), *_statistics(findings))
    ]
    return environment.get_template("report.html").render(
        table=table,
        formats=[Format.of(column, table.rows) for column in table.columns],
        groups=_groups(table),
        verdicts=verdicts(table),
        pictures=[picture for picture in pictures if picture[2]],
        metrics=[
            (column, Format.of(column, everything.rows))
            for column in everything.columns
            if not column.is_cost
        ],
        everything=everything,
        findings=findings,
        main_effects=main_effects(findings),
        warnings=warnings(records),
        notes=list(dict.fromkeys(str(note) for record in records for note in record.notes)),
        environments=_environments(records),
        number=number,
        p_text=_p,
        arrows=ARROWS,
        style=Markup(_template("report.css")),  # noqa: S704 - our own file
    )


def verdicts(table: Table) -> list[str]:
    """What the table says, in sentences: who is best at what, what it costs, who fails to beat the
    baselines.
    """
    said = []
    for column in table.columns:
        best = next((row for row in table.setups if row.cells[column.key].best), None)
        if best is None or column.direction == "none":
            continue
        form = Format.of(column, table.rows)
        cell = best.cells[column.key]
        text = f"{column.label}: {best.name} with {form.value(cell)} {form.unit}".rstrip()
        if form.interval and cell.low == cell.low:
            text += f" (95 % interval {form.bounds(cell)})"
        if cell.beaten:
            text += ", which does not beat the baselines"
        said.append(text)
    losers = [row.name for row in table.setups if row.contests and not row.wins]
    if losers:
        said.append(f"beat the baselines in nothing: {', '.join(losers)}")
    return said


def main_effects(findings: Findings) -> list[tuple[Column, dict[str, Effect]]]:
    """What augmentation and multi-crops do to each metric, over all paradigms."""
    return [
        (column, {one.name: one for one in effects if one.kind == "main"})
        for column, effects in findings.effects
    ]


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _statistics(findings: Findings) -> list[tuple[str, str, list[str]]]:
    drawn = [
        plots_stats.effects(effects, column, name=f"effects-{place}")
        for place, (column, effects) in enumerate(findings.effects)
        if column.key in PRIMARY
    ]
    ranking = findings.ranking
    lead = ""
    if ranking is not None and ranking.reason:
        lead = f"No comparison of ranks: {ranking.reason}."
    elif ranking is not None:
        lead = (
            f"Over {ranking.blocks} cell lines, by ROC AUC; bars join setups that do not differ "
            f"(Nemenyi, {ranking.confidence:.0%}). All alike: {_p(ranking.p)} (Friedman)."
        )
    return [
        (
            "What augmentation and cropping do",
            "Filled marks: the 95 % interval excludes 0. Each interval is of one effect alone; p in the "
            "table above is corrected for making two comparisons (Holm).",
            drawn,
        ),
        ("Mean ranks", lead, [plots_stats.ranks(ranking)] if ranking is not None else []),
    ]


def _pictures(table: Table, records: Sequence[Record]) -> list[tuple[str, str, list[str]]]:
    quality = [column for column in table.columns if not column.is_cost]
    costs = {column.key: column for column in table.columns if column.is_cost and not column.is_ratio}
    time = costs.get("time_per_image_ns")
    scattered = [column for column in quality if column.key in PRIMARY] or quality[:1]
    paradigms = dict.fromkeys(row.group for row in table.setups)
    return [
        (
            "Quality and what it costs",
            "Up and to the left is better. Lines span the interval, or one deviation over seeds.",
            [plots.quality_against_cost(table, quality=one, cost=time) for one in scattered if time],
        ),
        (
            "Quality by task",
            "The dashed line is the best baseline; whiskers span the interval, or one deviation over seeds.",
            [plots.bars(table, column) for column in quality],
        ),
        ("Time and memory", "", [plots.bars(table, column) for column in costs.values()]),
        (
            "Learning curves",
            "Losses of different paradigms measure different things and are not to be compared.",
            [plots.learning_curves(records, paradigm=paradigm) for paradigm in paradigms],
        ),
    ]


def _groups(table: Table) -> list[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(row.group, []).append(row)
    return list(groups.items())


def _environments(records: Sequence[Record]) -> list[dict[str, str]]:
    """The distinct environments, each as flat text."""
    found: list[dict[str, str]] = []
    for record in records:
        flat = _flat(to_json_types(record.environment))
        if flat and flat not in found:
            found.append(flat)
    return found


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat[key] = ", ".join(f"{name} {item}" for name, item in value.items() if item is not None)
        elif value is not None:
            flat[key] = str(value)
    return flat


def _template(name: str) -> str:
    return (
        resources.files("morphobench.report.render").joinpath("templates", name).read_text(encoding="utf-8")
    )
