"""A board over many results: data sets x setups x machines, made of files only."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from morphobench._util.files import write_whole
from morphobench._util.text import printable
from morphobench.data.ingest.paths import files_below
from morphobench.errors import InputError
from morphobench.report.load import load_records
from morphobench.report.render.formats import Format, number
from morphobench.report.render.html import page_environment, template
from morphobench.report.statistics.columns import COSTS, Column, primary
from morphobench.report.statistics.ranks import Ranking, rank
from morphobench.report.summary import Summary, load_summary
from morphobench.run.folder import CURVES, RESULTS
from morphobench.types import Path


@dataclass(frozen=True)
class Entry:
    """One result on the board.

    Attributes:
        name: its folder.
        link: path of its records from the board's page.
        data: first letters of the checksum of its images, and how many there are.
        machine: processor, threads and device.
        version: versions of morphobench and torch, and the commit.
        summary: what it measured.
        place: number of the entry, for links within the page.
    """

    name: str
    link: str
    data: str
    machine: str
    version: str
    summary: Summary
    place: int


@dataclass(frozen=True)
class Group:
    """The results under one protocol.

    Attributes:
        protocol: the protocol.
        entries: the results.
        column: the metric that setups are ranked by; None where no result has one.
        ranking: mean ranks of the setups that every result has, over results; None for fewer than two.
    """

    protocol: str
    entries: tuple[Entry, ...]
    column: Column | None
    ranking: Ranking | None

    @property
    def metrics(self) -> tuple[Column, ...]:
        """The headline metrics of any result, and the costs."""
        shown = [c for one in self.entries for c in (*one.summary.headline, *one.summary.costs)]
        quality = [column for column in dict.fromkeys(shown) if not column.is_cost]
        return (*quality, *(column for column in COSTS if column in shown))

    @property
    def formats(self) -> list[Format]:
        """How the columns are written, over all results."""
        rows = [row for one in self.entries for row in one.summary.rows]
        return [Format.of(column, rows) for column in self.metrics]


def find_results(folders: Sequence[Path]) -> list[pathlib.Path]:
    """Find the results below some folders.

    Args:
        folders: folders of runs, or folders that hold such.

    Returns:
        Folders with a results.jsonl, sorted.

    Raises:
        InputError: where a folder holds none, or cannot be listed.
    """
    found: dict[pathlib.Path, None] = {}
    for folder in map(pathlib.Path, folders):
        files = [folder / name for name in files_below(folder)] if folder.is_dir() else []
        here = sorted(file.parent for file in files if file.name == RESULTS)
        # points of learning curves are no results of their own
        here = [one for one in here if one.parent.name != CURVES or one == folder]
        if not here:
            raise InputError(f"FOLDER must hold results of `morphobench run`, got none in {folder}")
        found.update(dict.fromkeys(here))
    return list(found)


def write_board(folders: Sequence[Path], page: Path) -> pathlib.Path:
    """Write a page over many results.

    Args:
        folders: folders of runs, or folders that hold such.
        page: the page to write; its links to the records are relative.

    Returns:
        Path of the page.

    Raises:
        InputError: where a folder holds no results, or a result is damaged.
    """
    from markupsafe import Markup

    page = pathlib.Path(page)
    groups = board(find_results(folders), page.parent)
    text = (
        page_environment()
        .get_template("board.html")
        .render(
            groups=groups,
            number=number,
            style=Markup(template("report.css")),  # noqa: S704 - our own file
            script=Markup(template("table.js")),  # noqa: S704 - our own file
        )
    )
    write_whole(page, text)
    return page


def board(results: Sequence[pathlib.Path], start: pathlib.Path) -> list[Group]:
    """Group results by protocol and rank their setups.

    Args:
        results: folders of results.
        start: folder of the page, from which links lead.

    Returns:
        One group a protocol, in the order of their names.
    """
    entries = [_entry(folder, start, place) for place, folder in enumerate(results)]
    groups = []
    for protocol in sorted({one.summary.protocol for one in entries}):
        members = tuple(one for one in entries if one.summary.protocol == protocol)
        column = primary([c for one in members for c in one.summary.headline])
        groups.append(Group(protocol, members, column, _ranking(members, column)))
    return groups


def _entry(folder: pathlib.Path, start: pathlib.Path, place: int) -> Entry:
    records, summary = load_records(folder), load_summary([folder])
    first = next((one for one in records if not one.is_baseline), records[0])
    made = first.environment
    versions = [
        f"{name} {made.versions[name]}" for name in ("morphobench", "torch") if made.versions.get(name)
    ]
    commit = [f"commit {made.commit[:9]}"] if made.commit else []
    device = [made.device] if made.device else []
    threads = [f"{made.threads} thread{'s' * (made.threads != 1)}"] if made.threads else []
    return Entry(
        printable(folder.resolve().name),
        os.path.relpath((folder / RESULTS).resolve(), start.resolve()),
        printable(f"{(first.data.content_sha256 or 'unknown')[:8]}, {first.data.images or '?'} images"),
        printable(", ".join([made.cpu or "unknown processor", *threads, *device])),
        printable(", ".join([*versions, *commit])),
        summary,
        place,
    )


def _ranking(entries: Sequence[Entry], column: Column | None) -> Ranking | None:
    """Ranks over data sets: results on the same images are averaged, so that none counts twice."""
    if column is None:
        return None
    by_data: dict[str, list[dict[str, float]]] = {}
    for one in entries:
        values = {
            row.name: row.cells[column.key].value for row in one.summary.setups if column.key in row.cells
        }
        by_data.setdefault(one.data, []).append(values)
    common = set.intersection(*({*values} for each in by_data.values() for values in each))
    names = [row.name for row in entries[0].summary.setups if row.name in common]
    if len(names) < 2:
        return None
    blocks = [
        [float(np.mean([values[name] for values in each])) for name in names] for each in by_data.values()
    ]
    return rank(np.asarray(blocks), names, direction=column.direction)
