"""Results over commits: read from a folder, with change points; a table's rows and a picture."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from morphobench import types
from morphobench._util.files import read_text
from morphobench._util.json import parse_json
from morphobench.data.ingest.paths import files_below
from morphobench.errors import DamagedFileWarning, InputError
from morphobench.report.statistics.benchmarks import check_benchmarks
from morphobench.report.statistics.change_points import change_points, levels
from morphobench.run.folder import COSTS, FAILURES
from morphobench.run.record import read_records

_NO_RECORDS = (FAILURES, COSTS, "metrics.jsonl")  # other files of lines that a run leaves in its folder
_MOST_PIXELS = 50_000  # of a picture's height; matplotlib takes no more than 65,535
_COSTS = ("relative_time", "peak_host_memory_bytes", "peak_device_memory_bytes")


@dataclass(frozen=True)
class Series:
    """One figure of one setup or benchmark over commits.

    Attributes:
        name: setup or benchmark.
        figure: what was measured.
        commits: in order.
        values: one for each commit.
        points: positions at which a new level begins.
    """

    name: str
    figure: str
    commits: tuple[str, ...]
    values: tuple[float, ...]
    points: tuple[int, ...]

    @property
    def levels(self) -> list[float]:
        """The geometric mean of each level; the mean where values are not all above 0."""
        return levels(self.values, self.points) if self.positive else [fmean(self.values)]

    @property
    def positive(self) -> bool:
        """Whether every value is above 0, so that ratios say something."""
        return min(self.values) > 0


def read_history(folder: types.Path) -> list[Series]:
    """Read every result of a folder: files of pytest-benchmark, and files of records.

    Benchmark files are in the order of their dates, files of records in that of their names. Of benchmarks
    the time relative to yardstick or peer counts where there is one, else the median wall time; of records
    costs and metrics, medians over seeds.

    Args:
        folder: searched with its subfolders.

    Returns:
        Every figure that at least two files hold, with its change points.

    Raises:
        InputError: where there is no such folder, no result in it, or a folder in it that cannot be listed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"FOLDER must be a folder of results, but {folder} is none")
    files = sorted(folder / name for name in files_below(folder))
    read = (_benchmarks(path) for path in files if path.suffix == ".json")
    dated = [found for found in read if found is not None]
    steps = [(commit, figures) for _, commit, figures in sorted(dated, key=lambda one: one[0])]
    steps += [_records(path) for path in files if path.suffix == ".jsonl" and path.name not in _NO_RECORDS]
    if not steps:
        raise InputError(f"FOLDER must hold files of pytest-benchmark or of records, got none in {folder}")
    collected: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for commit, figures in steps:
        for key, value in figures.items():
            collected.setdefault(key, []).append((commit, value))
    return [_series(*key, pairs) for key, pairs in collected.items() if len(pairs) > 1]


def history_rows(series: Iterable[Series], *, changed_only: bool) -> list[tuple[str, ...]]:
    """Make the rows of a table.

    Args:
        series: what ``read_history`` found.
        changed_only: leave out series without a change point.

    Returns:
        Name, figure, number of commits, first and last level, their ratio, and the changes as texts.
    """
    rows: list[tuple[str, ...]] = []
    for one in series:
        if changed_only and not one.points:
            continue
        found = one.levels
        changes = [
            f"{one.commits[point]}: x {after / before:.3f}"
            for point, before, after in zip(one.points, found, found[1:], strict=False)
        ]
        numbers = (
            f"{len(one.values)}",
            f"{found[0]:.4g}",
            f"{found[-1]:.4g}",
            f"x {found[-1] / found[0]:.3f}" if one.positive else "–",
        )
        rows.append((one.name, one.figure, *numbers, ", ".join(changes) or "–"))
    return rows


def draw_history(series: Sequence[Series], picture: types.Path) -> Path:
    """Draw each figure over commits, relative to its first value, with a mark at every change point.

    Args:
        series: what ``read_history`` found.
        picture: file to write; its ending says the format, such as .png or .svg.

    Returns:
        The file.

    Raises:
        InputError: where the ending says no format, or no figure of two commits is above 0.
    """
    from matplotlib.figure import Figure

    from morphobench._util.files import file_in_place_of

    by_figure: dict[str, list[Series]] = {}
    for one in series:
        if one.positive:
            by_figure.setdefault(one.figure, []).append(one)
    if not by_figure:
        raise InputError("--out must have something to draw, got no figure of two commits that is above 0")
    path = Path(picture)
    made = Figure(figsize=(7.0, 2.2 * len(by_figure)), layout="constrained")
    ending = path.suffix.removeprefix(".").lower() or "png"
    if ending not in (known := made.canvas.get_supported_filetypes()):
        raise InputError(f"--out must end in one of {', '.join(sorted(known))}, got {path.name}")
    axes = made.subplots(len(by_figure), squeeze=False)[:, 0]
    plain: dict[str, Any] = {"fontsize": 9, "parse_math": False}  # a name may hold "$"
    for panel, (name, members) in zip(axes, by_figure.items(), strict=True):
        for one in members:
            relative = [value / one.values[0] for value in one.values]
            (line,) = panel.plot(relative, linewidth=1, marker=".", markersize=3)
            for point in one.points:
                ring = {"color": line.get_color(), "markersize": 7, "fillstyle": "none"}
                panel.plot(point, relative[point], "o", **ring)
        longest = max(members, key=lambda one: len(one.commits))
        places = range(len(longest.commits))
        panel.set_xticks(places, longest.commits, rotation=60, fontsize=6, parse_math=False)
        panel.set_title(f"{name}, relative to the first commit; circles: a new level begins", **plain)
    with file_in_place_of(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # of scripts that the font lacks
        made.savefig(partial, format=ending, dpi=min(150.0, _MOST_PIXELS / (2.2 * len(by_figure))))
    return path


def _series(name: str, figure: str, pairs: Sequence[tuple[str, float]]) -> Series:
    commits, values = zip(*pairs, strict=True)
    # levels are found on logarithms
    return Series(name, figure, commits, values, tuple(change_points(values)) if min(values) > 0 else ())


def _benchmarks(path: Path) -> tuple[str, str, dict[tuple[str, str], float]] | None:
    """Date, commit and figures of a pytest-benchmark file; None for any other file."""
    try:
        content = parse_json(read_text(path), source=str(path), of_python=True)
    except InputError as error:
        warnings.warn(f"{error}; left out", DamagedFileWarning, stacklevel=2)
        return None
    if not isinstance(content, dict) or "benchmarks" not in content:
        return None
    check_benchmarks(content, source=str(path))
    found: dict[tuple[str, str], float] = {}
    for item in content["benchmarks"]:
        extra: Mapping[str, Any] = item.get("extra_info") or {}
        name = str(extra.get("setup") or item["name"])
        known = {figure: extra[figure] for figure in _COSTS if extra.get(figure)}
        if "relative_time" not in known:
            known["wall_time_s"] = item["stats"]["median"]
        found.update({(name, figure): float(value) for figure, value in known.items()})
    commit = (content.get("commit_info") or {}).get("id")
    return str(content.get("datetime")), str(commit or path.stem)[:9], found


def _records(path: Path) -> tuple[str, dict[tuple[str, str], float]]:
    from morphobench.measure import median

    values: dict[tuple[str, str], list[float]] = {}
    commit = ""
    for record in read_records(path):
        commit = str(record.environment.commit or path.stem)[:9]
        costs = {figure: getattr(record, figure) for figure in _COSTS}
        for figure, value in {**costs, **record.metrics}.items():
            if value is not None:
                values.setdefault((record.setup, figure), []).append(float(value))
    return commit, {key: median(found) for key, found in values.items()}
