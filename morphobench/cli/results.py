"""Commands that show results: their options and functions. Heavy imports wait until they are needed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from morphobench._util.options import Options, argument, option
from morphobench.cli.outputs import require_other_file
from morphobench.errors import InputError


@dataclass(frozen=True, kw_only=True)
class SummarizeOptions(Options):
    """Options of ``morphobench summarize``."""

    sources: tuple[Path, ...] = argument(
        "FILE_OR_OUT", "folders of runs or results.jsonl files, or one pytest-benchmark JSON file"
    )
    format: str = option(
        "form of the table; csv and json hold every metric",
        default="table",
        choices=("table", "markdown", "csv", "json"),
    )
    sort: str | None = option(
        "metric or cost to sort by, best first, such as similarity.d or time_per_image_ns; or name",
        default=None,
        metavar="COLUMN",
        default_text="by paradigm",
    )
    filter: tuple[str, ...] = option(
        "show only setups that match, such as 'unsupervised/*,baseline/*'", default=(), metavar="PATTERNS"
    )
    all_metrics: bool = option("show every metric in a second table", default=False)
    details: bool = option("show all notes and warnings", default=False)


@dataclass(frozen=True, kw_only=True)
class ReportOptions(Options):
    """Options of ``morphobench report``."""

    out: Path = argument("OUT", "folder of the results of `run`")
    store: Path | None = option(
        "store that the run was made from, for pictures of its cells",
        default=None,
        metavar="STORE",
        default_text="the one that OUT/config.toml names",
    )


@dataclass(frozen=True, kw_only=True)
class RecommendOptions(Options):
    """Options of ``morphobench recommend``."""

    out: Path = argument("OUT", "folder of the results of `run`")
    max_minutes: float | None = option("longest training time, in minutes", default=None, metavar="M")
    max_memory_gb: float | None = option("largest memory, in GB", default=None, metavar="G")
    images: int | None = option(
        "images that you will train on", default=None, metavar="N", minimum=1, default_text="as in the run"
    )
    epochs: int | None = option(
        "epochs that you will train for", default=None, metavar="E", minimum=1, default_text="as in the run"
    )
    format: str = option("form of the answer", default="table", choices=("table", "json"))


@dataclass(frozen=True, kw_only=True)
class BoardOptions(Options):
    """Options of ``morphobench board``."""

    folders: tuple[Path, ...] = argument("FOLDER", "folders of runs, or folders that hold such")
    out: Path = option(
        "page to write; links to the records are relative to it", default=Path("board.html"), metavar="PAGE"
    )


def make_board(options: BoardOptions) -> None:
    """Do ``morphobench board FOLDER...``.

    Args:
        options: Options of the command.
    """
    from morphobench.report.board import write_board
    from morphobench.report.render.terminal import show

    require_other_file(options.out, *options.folders, name="--out")
    show(f"{write_board(options.folders, options.out)}")


def summarize_results(options: SummarizeOptions) -> None:
    """Do ``morphobench summarize FILE_OR_OUT...``.

    Args:
        options: Options of the command.
    """
    from morphobench.report.render.markdown import as_csv, as_json, as_markdown
    from morphobench.report.render.terminal import SummaryTable, show, summarize_benchmarks
    from morphobench.report.summary import load_summary

    for source in options.sources:
        if not source.exists():
            raise InputError(
                f"FILE_OR_OUT must be a run's folder or a file of results, but {source} does not exist"
            )
    benchmarks = read_benchmarks(options.sources[0]) if len(options.sources) == 1 else None
    if benchmarks is not None:
        show(summarize_benchmarks(benchmarks))
        return
    summary = load_summary(options.sources, patterns=options.filter, sort=options.sort)
    if options.format == "table":
        show(SummaryTable(summary, all_metrics=options.all_metrics, details=options.details))
    else:
        write = {"markdown": as_markdown, "csv": as_csv, "json": as_json}[options.format]
        print(write(summary), end="")  # noqa: T201


def report(options: ReportOptions) -> None:
    """Do ``morphobench report OUT``.

    Args:
        options: Options of the command.
    """
    from morphobench.report.render.html import write_report
    from morphobench.report.render.terminal import show

    show(f"{write_report(options.out, store=options.store)}")


def recommend_setup(options: RecommendOptions) -> None:
    """Do ``morphobench recommend OUT``; that no setup can be recommended is no error.

    Args:
        options: Options of the command.
    """
    from morphobench._util.json import to_json
    from morphobench.report.decision import Limits, recommend
    from morphobench.report.load import load_records, load_tables
    from morphobench.report.render.markdown import decision_content
    from morphobench.report.render.terminal import DecisionText, show

    records = load_records(options.out)
    predictions = load_tables(options.out, records, name="classification.predictions")
    limits = {one.name: getattr(options, one.name) for one in fields(Limits)}
    decision = recommend(records, predictions=predictions, **limits)
    if options.format == "json":
        print(to_json(decision_content(decision), indent=2))  # noqa: T201
    else:
        show(DecisionText(decision))


def read_benchmarks(path: Path) -> dict[str, Any] | None:
    """Read a pytest-benchmark file.

    Args:
        path: the file.

    Returns:
        Its content; None where ``path`` is a run's folder or its records.

    Raises:
        InputError: where it is neither.
    """
    from morphobench._util.files import read_text
    from morphobench._util.json import parse_json
    from morphobench.report.statistics.benchmarks import check_benchmarks

    if path.is_dir() or path.suffix == ".jsonl":
        return None
    text = read_text(path)
    try:
        content = parse_json(text, source="its text", of_python=True)
    except InputError as error:
        raise InputError(
            f"{path} must be a run's folder, a results.jsonl or a pytest-benchmark JSON file, but {error}"
        ) from error
    if not isinstance(content, dict) or "benchmarks" not in content:
        raise InputError(f"{path} must be a file of `pytest --benchmark-json`, but it has no 'benchmarks'")
    check_benchmarks(content, source=str(path))
    return content
