"""``morphobench search``: hyper-parameters of one setup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from morphobench._util.options import Options, argument, group, option
from morphobench.run.search.options import SearchOptions

if TYPE_CHECKING:
    from morphobench.report.render.grid import Grid

_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class SearchCommand(Options):
    """Options of ``morphobench search``."""

    store: Path = argument("STORE", "store of images")
    out: Path = argument("OUT", "folder of the search; the same command again goes on where it stopped")
    search: SearchOptions = group(SearchOptions, inline=True)
    fresh: bool = option("remove the results of an earlier search in OUT first", default=False, saved=False)
    quiet: bool = option("show no progress", default=False, saved=False)

    @classmethod
    def default_texts(cls) -> dict[str, str]:
        """Values of each preset."""
        return dict(SearchOptions.default_texts())


def search(options: SearchCommand) -> None:
    """Do ``morphobench search STORE OUT``.

    Args:
        options: Options of the command.
    """
    from morphobench.report.render.terminal import GridTable, show
    from morphobench.run.folder import BEST, TRIALS
    from morphobench.run.search import search as searches

    out = options.out
    results = searches.search(
        options.store, out, options=options.search, fresh=options.fresh, quiet=options.quiet
    )
    if not results:  # only a script was written
        return
    show(GridTable(trial_grid(results[:_SHOWN], options.search.measure)))
    show(
        f"{out / TRIALS} holds all {len(results)} trials; the best one's options: morphobench run "
        f"{options.store} NEW_FOLDER --config {out / BEST}"
    )


def trial_grid(results: Sequence[Any], measure: str) -> Grid:
    """Make a table of trials.

    Args:
        results: What `morphobench.run.search.search.search` returned.
        measure: Name of what was measured.

    Returns:
        A row per trial.
    """
    from morphobench.report.render.grid import Grid

    names = list(results[0].values)
    rows = tuple(
        (
            str(one.number),
            one.state,
            "" if one.value is None else f"{one.value:.4f}",
            str(one.epochs),
            *(_shown(one.values[name]) for name in names),
        )
        for one in results
    )
    return Grid(("trial", "state", f"{measure} on\nvalidation", "epochs", *names), rows)


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
