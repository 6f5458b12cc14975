"""The tables of a cost measurement: for a terminal and as Markdown, from the same cells; no arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from morphobench._util.files import read_text, write_whole
from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.report.render.formats import MISSING, number, with_unit
from morphobench.report.render.grid import Grid
from morphobench.report.render.terminal import GridTable
from morphobench.report.statistics.cost import CLAIM, Claim, Ratio, SetupCost, claims, setup_costs

BEGIN, END = "<!-- made by morphobench cost -->", "<!-- end of what morphobench cost makes -->"


@dataclass(frozen=True)
class CostPage:
    """Everything that is said of one measurement: grids and the sentences around them."""

    facts: tuple[str, ...]
    setups: Grid
    ratios: Grid
    answers: tuple[str, ...]

    def rich(self) -> Group:
        """For a terminal."""
        return Group(
            GridTable(self.setups),
            GridTable(self.ratios),
            *(Text(answer, style="bold") for answer in self.answers),
            *(Text(fact, style="dim") for fact in self.facts),
        )

    def markdown(self) -> str:
        """For a page."""
        return "\n\n".join([*self.facts, self.setups.markdown(), self.ratios.markdown(), *self.answers, ""])


def cost_page(measured: Mapping[str, Any]) -> CostPage:
    """Make the page of a cost measurement.

    Args:
        measured: What ``run.cost.rounds.measure_cost`` returned.

    Returns:
        The page.
    """
    costs = setup_costs(measured)
    per_epoch, to_convergence = claims(costs)
    device = any(math.isfinite(cost.peak_device_memory_bytes) for cost in costs)
    return CostPage(
        facts=_facts(measured, device=device),
        setups=_setup_grid(costs, device=device),
        ratios=_ratio_grid(per_epoch, to_convergence),
        answers=tuple(_answer(claim) for claim in (per_epoch, to_convergence)),
    )


def summary(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the tables show as numbers.

    Args:
        measured: What ``run.cost.rounds.measure_cost`` returned.

    Returns:
        Setups and claims as plain types; NaN where something is not known.
    """
    costs = setup_costs(measured)
    return {
        "setups": [
            {
                **vars(cost),
                "time_per_epoch_s": vars(cost.time_per_epoch_s),
                "time_to_convergence_s": cost.time_to_convergence_s,
            }
            for cost in costs
        ],
        "claims": [
            {
                "per": claim.by,
                "claim": CLAIM,
                "verdict": claim.verdict,
                "ratios": [{**vars(ratio), "ratio": vars(ratio.ratio)} for ratio in claim.ratios],
            }
            for claim in claims(costs)
        ],
    }


def fill_page(path: Path, text: str | None) -> None:
    """Put a text between the two marker lines of a page.

    Args:
        path: The page.
        text: The text; None: only look for the lines.

    Raises:
        InputError: There is no such page, or it lacks the lines.
    """
    before, begin, rest = read_text(path).partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InputError(f"{path} must have the lines {BEGIN!r} and {END!r}, got a page without")
    if text is not None:
        write_whole(path, f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}")


def _facts(measured: Mapping[str, Any], *, device: bool) -> tuple[str, ...]:
    options, data, made_on = measured["options"], measured["data"], measured["environment"]
    loads = [r["load_average"] for r in measured["records"] if r.get("load_average") is not None]
    load = f", load average {min(loads):.1f} to {max(loads):.1f}" if loads else ""
    machine = (
        f"{made_on['cpu']}, {options['threads']} threads, device {made_on['device']}, "
        f"torch {made_on['versions']['torch']}, commit {str(made_on['commit'])[:9]}{load}"
    )
    conditions = (
        f"Protocol {options['protocol']}, encoder {', '.join(options['encoders'])}, precision "
        f"{options['precision']}, batches of {options['batch_size'] * options['accumulate']}, "
        f"{data['train']} images to learn from, {data['validation']} to validate on, one seed; "
        f"{options['rounds']} shared rounds of {options['epochs_per_round']} epochs; converged: no fall "
        f"of the validation loss by {100 * options['improvement']:g} % within {options['patience']} epochs; "
        f"cap {options['epochs']} epochs."
    )
    columns = (
        "step/view: training step / batch; image and epoch: with feeding, all views; epochs: until the last "
        "improvement; converged: epochs x epoch; host mem.: peak of the process; training: what it added"
    )
    return (f"{machine}.", conditions, f"{columns}{'; allocated, reserved: device' if device else ''}.")


def _setup_grid(costs: Sequence[SetupCost], *, device: bool) -> Grid:
    headers = (
        "setup",
        "step/view",
        "image",
        "epoch",
        "95 %",
        "epochs",
        "converged",
        "host mem.",
        "training",
        *(("allocated", "reserved") if device else ()),
    )
    return Grid(headers, tuple(_setup_row(cost, device=device) for cost in costs))


def _setup_row(cost: SetupCost, *, device: bool) -> tuple[str, ...]:
    more = "> " if cost.converged_epoch is None else ""
    row = [
        cost.setup,
        with_unit(cost.time_per_view_ns, "ns"),
        with_unit(cost.time_per_image_ns, "ns"),
        with_unit(cost.time_per_epoch_s.estimate * 1e9, "ns"),
        _bounds(cost.time_per_epoch_s, " s"),
        f"{more}{cost.epochs_counted}",
        f"{more}{with_unit(cost.time_to_convergence_s * 1e9, 'ns')}",
        with_unit(cost.peak_host_memory_bytes, "bytes", digits=1),
        with_unit(cost.training_memory_bytes, "bytes", digits=1),
    ]
    if device:
        row.append(with_unit(cost.peak_device_memory_bytes, "bytes", digits=1))
        row.append(with_unit(cost.peak_device_memory_reserved_bytes, "bytes", digits=1))
    return tuple(row)


def _ratio_grid(per_epoch: Claim, to_convergence: Claim) -> Grid:
    headers = (
        "times as long as self-supervised",
        "per epoch",
        "95 %",
        "to convergence",
        "95 %",
    )
    rows = [
        (one.other, *_ratio_cells(one), *_ratio_cells(two))
        for one, two in zip(per_epoch.ratios, to_convergence.ratios, strict=True)
    ]
    return Grid(headers, tuple(rows))


def _ratio_cells(ratio: Ratio) -> tuple[str, str]:
    if ratio.bound == "unknown":
        return "neither converged", MISSING
    mark = {"at least": "> ", "at most": "< "}.get(ratio.bound, "")
    return f"{mark}{number(ratio.ratio.estimate, digits=2)}", _bounds(ratio.ratio)


def _bounds(interval: Interval, unit: str = "") -> str:
    if not math.isfinite(interval.low):
        return MISSING
    return f"{number(interval.low, digits=2)} to {number(interval.high, digits=2)}{unit}"


def _answer(claim: Claim) -> str:
    what = "an epoch" if claim.by == "epoch" else "to convergence by this rule, with one seed's epochs"
    largest = claim.largest
    if largest is None:
        return f"Up to {CLAIM:g} times faster ({what})? {claim.verdict.capitalize()}."
    most, bounds = _ratio_cells(largest)
    return (
        f"Up to {CLAIM:g} times faster ({what})? {claim.verdict.capitalize()}. The largest ratio within a "
        f"setting is {most} ({bounds}): {largest.other} against {largest.fast}."
    )
