"""``morphobench audit``: what a data set can show, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from morphobench._util.options import Options, argument, option
from morphobench.cli.outputs import require_other_file
from morphobench.types import SplitBy

if TYPE_CHECKING:
    from morphobench.report.render.terminal import GridTable


@dataclass(frozen=True, kw_only=True)
class AuditOptions(Options):
    """Options of ``morphobench audit``."""

    store: Path = argument("STORE", "store of images")
    images: int | None = option(
        "look at no more than N images, a subset stratified by class and compound",
        default=4000,
        metavar="N",
        minimum=1,
    )
    seed: int = option("random seed of the split", default=0, metavar="S", minimum=0)
    split_by: SplitBy = option(
        "what train, validation and test images must not share, as for run", default="auto"
    )
    json: Path | None = option("write the audit to this file", default=None)


def audit(options: AuditOptions) -> None:
    """Do ``morphobench audit STORE``.

    Args:
        options: Options of the command.
    """
    from morphobench._util.json import write_json
    from morphobench.report.render.terminal import show
    from morphobench.run.checks.audit import audit_store

    if options.json is not None:
        require_other_file(options.json, options.store, name="--json")
    found = audit_store(options.store, images=options.images, seed=options.seed, split_by=options.split_by)
    show(audit_table(found))
    if found["shortcuts"]:
        show(shortcut_table(found["shortcuts"]))
    for text in found["verdicts"]:
        show(f"- {text}")
    if options.json is not None:
        write_json(options.json, found)


def audit_table(found: Mapping[str, Any]) -> GridTable:
    """Make a table with a row per task.

    Args:
        found: What `morphobench.run.checks.audit.audit_store` returned.

    Returns:
        The table.
    """
    tasks = found["tasks"]
    units = {
        "plates": "plates",
        "effective_plates": "effective\nplates",
        "wells": "wells",
        "compounds": "compounds",
    }
    sources = list(dict.fromkeys(key for one in tasks.values() for key in one["predictable_from"]))
    scored = list(dict.fromkeys(key for one in tasks.values() for key in one["baselines"]))
    rows = []
    for name, one in tasks.items():
        alone, smallest = one["predictable_from"], one["detectable_difference"]
        rows.append(
            (
                f"{name}: {one['question']}" if name != one["question"] else name,
                *(_number(one["units"].get(key), ".3g") for key in units),
                *(
                    f"{alone[key]['score']:.2f} ({alone[key]['chance']:.2f})" if key in alone else ""
                    for key in sources
                ),
                *(_number(one["baselines"].get(key), ".2f") for key in scored),
                _number(smallest, ".3f"),
                " ".join(word for word in ("confounded", "saturated") if one[word]),
            )
        )
    headers = (
        "task",
        *units.values(),
        *(f"{key.replace('_', ' ')}\nalone" for key in sources),
        *(key.replace("_", "\n") for key in scored),
        "difference\nseen",
        "warning",
    )
    return _titled(f"Audit of {found['images']} images; scores: mean recall (chance)", headers, rows)


def shortcut_table(ledgers: Mapping[str, Sequence[Mapping[str, Any]]]) -> GridTable:
    """Make a table of what the components of pixels lose with each shortcut.

    Args:
        ledgers: Lines by question, as ``shortcuts`` of `morphobench.run.checks.audit.audit_store` holds them.

    Returns:
        The table.
    """
    rows = []
    for name, lines in ledgers.items():
        for one in lines:
            interval = "" if one["low"] != one["low"] else f"{one['low']:.2f} to {one['high']:.2f}"
            shortcut = str(one["shortcut"]).replace("_", " ")
            numbers = (f"{one['alone']:.2f}", f"{one['remaining']:.2f}", interval, f"{one['least']:.2f}")
            rows.append((f"{name}: {shortcut}", *numbers))
    headers = ("task: shortcut", "shortcut\nalone", "remaining", "95 % interval", "least")
    return _titled("Shortcut ledger of pca_pixels; scores: mean recall", headers, rows)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _titled(title: str, headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> GridTable:
    """A table without its empty columns, below its title."""
    from morphobench.report.render.grid import Grid
    from morphobench.report.render.terminal import GridTable

    kept = [k for k in range(len(headers)) if k == 0 or any(row[k] for row in rows)]
    cells = tuple(tuple(row[k] for k in kept) for row in rows)
    return GridTable(Grid(tuple(headers[k] for k in kept), cells), title=title)
