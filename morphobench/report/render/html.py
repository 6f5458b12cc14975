"""The report of a run: one page, OUT/report.html, with everything in it and nothing fetched from
elsewhere.
"""

from __future__ import annotations

import pathlib
from importlib import resources

from morphobench._util.files import write_whole
from morphobench.report.figures import effects as plots_stats
from morphobench.report.figures import quality as plots
from morphobench.report.render.formats import ARROWS, Format, bounds, number, p_text
from morphobench.report.render.sentences import decision_sentences
from morphobench.report.statistics.analysis import Findings
from morphobench.report.statistics.columns import PRIMARY, Column
from morphobench.report.statistics.effects import Effect
from morphobench.report.statistics.table import Row
from morphobench.report.summary import Summary, load_summary
from morphobench.run.folder import REPORT
from morphobench.types import Path


def write_report(out: Path) -> pathlib.Path:
    """Write the page of a run.

    Args:
        out: the folder of the run; or a results file, beside which the page is put.

    Returns:
        Path of the page, OUT/report.html. It holds its figures (SVG) and style and needs no network.

    Raises:
        InputError: where OUT holds no readable records, or records of two protocols.
    """
    folder = pathlib.Path(out)
    page = folder / REPORT if folder.is_dir() else folder.with_name(REPORT)
    write_whole(page, render(load_summary([folder])))
    return page


def render(summary: Summary) -> str:
    """Write the page's HTML.

    Args:
        summary: what it shows.

    Returns:
        The page.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    table, findings, judged = summary, summary.findings, summary.decision.column
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = [
        (title, lead, [Markup(svg) for svg in found if svg])  # noqa: S704 - drawn here, its texts are escaped
        for title, lead, found in (*_pictures(table), *_statistics(findings))
    ]
    return environment.get_template("report.html").render(
        table=table,
        formats=[Format.of(column, table.rows) for column in table.columns],
        groups=_groups(table),
        pictures=[picture for picture in pictures if picture[2]],
        metrics=[(column, Format.of(column, table.rows)) for column in table.metrics],
        findings=findings,
        judged=judged,
        against=findings.against.get(judged.key, ()) if judged else (),
        main_effects=main_effects(findings),
        sentences=decision_sentences(summary.decision),
        number=number,
        p_text=p_text,
        bounds=bounds,
        arrows=ARROWS,
        style=Markup(_template("report.css")),  # noqa: S704 - our own file
    )


def main_effects(findings: Findings) -> list[tuple[Column, dict[str, Effect]]]:
    """What augmentation and multi-crops do to each metric, over all paradigms."""
    return [
        (column, {one.name: one for one in effects if one.kind == "main"})
        for column, effects in findings.effects
    ]


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
            f"(Nemenyi, {ranking.confidence:.0%}). All alike: {p_text(ranking.p)} (Friedman)."
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


def _pictures(table: Summary) -> list[tuple[str, str, list[str]]]:
    quality = [column for column in table.columns if not column.is_cost]
    costs = {column.key: column for column in table.columns if column.is_cost}
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
            [plots.learning_curves(table, paradigm=paradigm) for paradigm in paradigms],
        ),
    ]


def _groups(table: Summary) -> list[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(row.group, []).append(row)
    return list(groups.items())


def _template(name: str) -> str:
    return (
        resources.files("morphobench.report.render").joinpath("templates", name).read_text(encoding="utf-8")
    )
