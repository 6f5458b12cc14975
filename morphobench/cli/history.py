"""``morphobench history``: results over commits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from morphobench._util.options import Options, argument, option


@dataclass(frozen=True, kw_only=True)
class HistoryOptions(Options):
    """Options of ``morphobench history``."""

    folder: Path = argument("FOLDER", "folder of pytest-benchmark JSON files, or of files of records")
    out: Path | None = option(
        "picture to write, such as history.png", default=None, metavar="PICTURE", default_text="no picture"
    )
    changed_only: bool = option("show only what changed its level", default=False)


def history(options: HistoryOptions) -> None:
    """Do ``morphobench history FOLDER``.

    Args:
        options: Options of the command.
    """
    from rich import box
    from rich.table import Table

    from morphobench.report.history import draw_history, history_rows, read_history
    from morphobench.report.render.terminal import show

    series = read_history(options.folder)
    table = Table(box=box.SIMPLE_HEAD)
    for header in ("name", "figure", "commits", "first", "last", "last / first", "changes"):
        table.add_column(header, overflow="fold")
    for row in history_rows(series, changed_only=options.changed_only):
        table.add_row(*row)
    show(table)
    if options.out is not None:
        show(f"{draw_history(series, options.out)}")
