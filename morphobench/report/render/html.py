"""The page of a run, OUT/report.html: everything in one file, nothing fetched from elsewhere."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from morphobench._util.files import write_whole
from morphobench._util.text import printable
from morphobench.report.figures import cells
from morphobench.report.figures.converter import available
from morphobench.report.figures.effects import effects, ranks
from morphobench.report.figures.heat_map import heat_map
from morphobench.report.figures.quality import intervals, learning_curves, quality_against_cost
from morphobench.report.figures.vega import COLOURS, Figure, scripts
from morphobench.report.load import load_records
from morphobench.report.render.formats import ARROWS, Format, bounds, number, p_text, signed, signed_bounds
from morphobench.report.render.gain_grid import further_tables, gain_tables
from morphobench.report.render.sentences import decision_sentences
from morphobench.report.statistics.claims import study_claims
from morphobench.report.statistics.columns import PRIMARY, marked
from morphobench.report.statistics.gain import UNTRAINED
from morphobench.report.summary import Summary, load_summary
from morphobench.run.folder import FIGURES, REPORT, refuse_links
from morphobench.run.record import split_name
from morphobench.types import Path

NO_FIGURES = "Figures are left out: the package vl-convert-python is not installed here."

WINS_MEANING = (
    "in how many metrics of this table the setup is better than the best baseline, the paired 95 % interval "
    "of the difference excluding 0; of those that could be compared"
)


@dataclass(frozen=True)
class Cells:
    """Parts of the page that show cells.

    Attributes:
        sprite: pictures of the cells; None without the store.
        umap: the UMAP; None without a clustering.
        views: views of the four settings, a PNG as a data URI; empty without the store.
        neighbours: nearest neighbours of some cells, by setup.
        reconstructions: images above their reconstructions, a PNG as a data URI, by setup.
        reason: why pictures of cells are left out; empty where they are not.
    """

    sprite: cells.Sprite | None = None
    umap: Figure | None = None
    views: str = ""
    neighbours: tuple[cells.Neighbours, ...] = ()
    reconstructions: tuple[tuple[str, str], ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Section:
    """A section of figures on the page."""

    name: str
    title: str
    lead: str
    figures: tuple[Figure, ...] = field(default=())


def write_report(out: Path, *, store: Path | None = None) -> pathlib.Path:
    """Write the page of a run, and its figures as SVG and PNG.

    Args:
        out: the folder of the run; or a results file, beside which the page is put.
        store: the store that the run was made from, for pictures of cells (default: the one that
            OUT/config.toml names, if it is there).

    Returns:
        Path of the page, OUT/report.html. The figures are in OUT/figures.

    Raises:
        InputError: where OUT holds no readable records, records of two protocols, or a link in the place of a
            folder.
    """
    folder = pathlib.Path(out)
    refuse_links(folder)
    page = folder / REPORT if folder.is_dir() else folder.with_name(REPORT)
    summary = load_summary([folder])
    shown = load_cells(folder, summary, store=None if store is None else pathlib.Path(store))
    sections = page_sections(summary, shown)
    write_whole(page, render(summary, shown, sections))
    if folder.is_dir() and available():
        for section in sections:
            for figure in section.figures:
                write_whole(folder / FIGURES / f"{figure.name}.svg", figure.svg())
                write_whole(folder / FIGURES / f"{figure.name}.png", figure.png())
    return page


def load_cells(out: pathlib.Path, summary: Summary, *, store: pathlib.Path | None = None) -> Cells:
    """Read what the page shows of cells.

    Args:
        out: the folder of the run.
        summary: its summary.
        store: the store, where it is known.

    Returns:
        What could be read, and why the rest could not.
    """
    if not out.is_dir():
        return Cells(reason="The page was made from a results file alone.")
    records = load_records(out)
    found = cells.find_store(out, records, store)
    pictures = cells.reconstructions(out, records)
    if found is None:
        told = "No pictures of cells: the run's store is not at hand (morphobench report OUT --store STORE)."
        return Cells(umap=cells.umap(out, records, None), reconstructions=pictures, reason=told)
    sprite = cells.make_sprite(found, cells.cells_shown(out, records))
    leader = summary.decision.leader
    wanted = [leader.setup if leader else "", UNTRAINED]
    compared = [next((r for r in records if r.setup == name), None) for name in wanted]
    near = [cells.neighbours(out, r, sprite) for r in compared if r is not None] if sprite is not None else []
    return Cells(
        sprite,
        cells.umap(out, records, sprite),
        cells.views_picture(found),
        tuple(one for one in near if one is not None),
        pictures,
    )


def page_sections(summary: Summary, shown: Cells) -> list[Section]:
    """Make the figures of the page.

    Args:
        summary: what it shows.
        shown: what it shows of cells.

    Returns:
        Sections with at least one figure each.
    """
    by_key = {column.key: column for column in summary.headline}
    quality = [by_key[key] for key in PRIMARY if key in by_key] or list(summary.headline[:1])
    time = next((column for column in summary.costs if column.key == "time_per_image_ns"), None)
    findings = summary.findings
    paradigms = dict.fromkeys(split_name(name)[0] for name, _ in summary.histories)
    made = [
        (
            "cost",
            "Quality against cost",
            "Up and to the left is better. The grey line joins the setups that none beats in both at once.",
            [quality_against_cost(summary, quality=one, cost=time) for one in quality if time],
        ),
        ("heat", "All setups at a glance", "", [heat_map(summary)]),
        (
            "quality",
            "Quality with its uncertainty",
            "Lines span the 95 % interval, or one deviation over seeds where there is none. A baseline "
            "without a mark lies outside the axis.",
            [intervals(summary, column) for column in quality],
        ),
        (
            "effects",
            "What augmentation and cropping do",
            "Filled marks: the 95 % interval of the effect excludes 0.",
            [
                effects(found, column, name=f"effects-{place}")
                for place, (column, found) in enumerate(findings.effects)
                if column.key in PRIMARY
            ],
        ),
        (
            "ranks",
            "Ranks over cell lines",
            "",
            [ranks(findings.ranking)] if findings.ranking is not None else [],
        ),
        (
            "curves",
            "Training curves",
            "Losses of different paradigms measure different things and cannot be compared.",
            [learning_curves(summary, paradigm=paradigm) for paradigm in paradigms],
        ),
        ("umap", "The cells, by similarity", "", [shown.umap]),
    ]
    sections = [Section(name, title, lead, tuple(f for f in found if f)) for name, title, lead, found in made]
    return [section for section in sections if section.figures]


def render(summary: Summary, shown: Cells | None = None, sections: Sequence[Section] | None = None) -> str:
    """Write the page's HTML.

    Args:
        summary: what it shows.
        shown: what it shows of cells (default: nothing).
        sections: its figures (default: made here).

    Returns:
        The page.
    """
    from markupsafe import Markup

    shown = Cells() if shown is None else shown
    sections = page_sections(summary, shown) if sections is None else sections
    drawn = available()
    judged = summary.decision.column
    return str(
        page_environment()
        .get_template("report.html")
        .render(
            summary=summary,
            shown=shown,
            sections=sections if drawn else [],
            missing="" if drawn else NO_FIGURES,
            figures={
                # drawn here; texts of records are escaped by the converter
                one.name: Markup(_inline(one))  # noqa: S704
                for one in _figures(sections)
                if drawn
            },
            figures_data=Markup(_figures_data(sections, shown)) if drawn else Markup("{}"),  # noqa: S704
            sentences=decision_sentences(summary.decision),
            formats=[Format.of(column, summary.rows) for column in summary.columns],
            metrics=[(column, Format.of(column, summary.rows)) for column in summary.metrics],
            trained=sum(row.is_trained for row in summary.rows),
            judged=judged,
            against=summary.findings.against.get(judged.key, ()) if judged else (),
            claims=study_claims(summary.findings, summary.rows),
            gains=gain_tables(summary),
            tables=[one for one in further_tables(summary) if one.name not in ("gains", "restricted")],
            wins_meaning=WINS_MEANING,
            marked=marked,
            number=number,
            signed=signed,
            signed_bounds=signed_bounds,
            bounds=bounds,
            p_text=p_text,
            arrows=ARROWS,
            style=Markup(template("report.css")),  # noqa: S704 - our own file
            script=Markup(f"{template('table.js')}\n{scripts() if drawn else ''}"),  # noqa: S704 - ours
        )
    )


def page_environment() -> Any:
    """Make what pages are rendered with: everything is escaped, and an unknown name is an error.

    Returns:
        A jinja2 environment.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(template),
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,  # not our own markup
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _figures(sections: Sequence[Section]) -> Iterator[Figure]:
    for section in sections:
        yield from section.figures


def _inline(figure: Figure) -> str:
    """The static picture, which readers without scripts and printers see; it follows the page's colours."""
    text = figure.svg()
    for name, value in COLOURS.items():
        text = text.replace(f'"{value}"', f'"var(--{name})"')
    text = re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', r"\1", text, count=1)
    # ids of clip paths must be unique on the page
    text = re.sub(r'id="([^"]+)"', rf'id="{figure.name}-\1"', text)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{figure.name}-\1)", text)


def _figures_data(sections: Sequence[Section], shown: Cells) -> str:
    """The figures' specifications as JSON inside a script element, where only "<" could end it."""
    sprite = shown.sprite
    data: dict[str, Any] = {
        "figures": {one.name: {"spec": one.page_spec(), "sprite": one.sprite} for one in _figures(sections)},
        "sprite": None
        if sprite is None
        else {"columns": sprite.columns, "rows": sprite.rows, "tile": sprite.tile_px},
    }
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def template(name: str) -> str:
    """Read a file of the page.

    Args:
        name: its name.

    Returns:
        Its text.
    """
    return (
        resources.files("morphobench.report.render").joinpath("templates", name).read_text(encoding="utf-8")
    )
