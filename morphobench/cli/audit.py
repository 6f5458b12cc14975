"""``morphobench audit``: what a data set can show, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from morphobench._util.options import Options, argument, option
from morphobench.types import SplitBy

if TYPE_CHECKING:
    from rich.table import Table


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
    from morphobench.report.render.terminal import console
    from morphobench.run.checks.audit import audit_store

    found = audit_store(options.store, images=options.images, seed=options.seed, split_by=options.split_by)
    screen = console()
    screen.print(audit_table(found))
    if found["shortcuts"]:
        screen.print(shortcut_table(found["shortcuts"]))
    for text in found["verdicts"]:
        screen.print(f"- {text}", markup=False, soft_wrap=True)
    if options.json is not None:
        write_json(options.json, found)


def audit_table(found: Mapping[str, Any]) -> Table:
    """Make a table with a row per task.

    Args:
        found: What `morphobench.run.checks.audit.audit_store` returned.

    Returns:
        The table.
    """
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, title=f"audit of {found['images']} images; scores: mean recall, chance"
    )
    longest = max((len(word) + 1 for name in found["tasks"] for word in name.split()), default=0)
    table.add_column("task", overflow="fold", min_width=longest)
    for header in ("plates", "effective", "wells", "compounds", "predictable from", "baselines"):
        table.add_column(header, overflow="fold")
    table.add_column("difference seen", justify="right")
    table.add_column("mark")
    for name, one in found["tasks"].items():
        units = one["units"]
        alone = [
            f"{key.replace('_', ' ')} {each['score']:.2f} ({each['chance']:.2f})"
            for key, each in one["predictable_from"].items()
        ]
        scores = [f"{key.replace('_', ' ')} {value:.2f}" for key, value in one["baselines"].items()]
        smallest = one["detectable_difference"]
        table.add_row(
            f"{name}: {one['question']}" if name != one["question"] else name,
            *(
                "" if units.get(key) is None else f"{units[key]:.3g}"
                for key in ("plates", "effective_plates", "wells", "compounds")
            ),
            ", ".join(alone),
            ", ".join(scores),
            "" if smallest is None else f"{smallest:.3f}",
            " ".join(word for word in ("confounded", "saturated") if one[word]),
        )
    return table


def shortcut_table(ledgers: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """Make a table of what the components of pixels lose with each shortcut.

    Args:
        ledgers: Lines by question, as ``shortcuts`` of `morphobench.run.checks.audit.audit_store` holds them.

    Returns:
        The table.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title="shortcut ledger of pca_pixels; scores: mean recall")
    for header in ("task", "shortcut", "shortcut alone", "remaining", "95 % interval", "least"):
        table.add_column(header, justify="left" if header in ("task", "shortcut") else "right")
    for name, lines in ledgers.items():
        for place, one in enumerate(lines):
            interval = "" if one["low"] != one["low"] else f"{one['low']:.2f} to {one['high']:.2f}"
            table.add_row(
                "" if place else name,
                str(one["shortcut"]).replace("_", " "),
                f"{one['alone']:.2f}",
                f"{one['remaining']:.2f}",
                interval,
                f"{one['least']:.2f}",
            )
    return table
