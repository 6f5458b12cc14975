"""The tables of ``docs/gpu.md``, made from what ``gpu_check`` wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- made by tools/gpu_check.sh -->", "<!-- end of what tools/gpu_check.sh makes -->"


def fill(page: Path, found: Mapping[str, Any]) -> None:
    """Put the tables between the two marker lines of ``page``; ValueError where it lacks them."""
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} must have the lines {BEGIN!r} and {END!r}, got a page without them")
    page.write_text(f"{before}{BEGIN}\n\n{tables(found)}\n\n{END}{after}", "utf-8")


def tables(found: Mapping[str, Any]) -> str:
    """The whole file as Markdown."""
    machine, sizes = found["machine"], found["sizes"]
    facts = (
        f"{machine['device']}, {machine['cores']} cores, torch {machine['torch']}, CUDA {machine['cuda']}, "
        f"Python {machine['python']}, commit {str(machine['commit'])[:9]}. Batches of {sizes['batch']}, "
        f"{sizes['images']} images. CUDA tests: {found.get('tests', 'not run')}."
    )
    parts, rows, header = [facts], list[tuple[str, ...]](), tuple[str, ...]()
    if limits := found.get("limits"):
        parts.append(
            "Limits of the machine: "
            + ", ".join(f"{name.replace('_', ' ')} {value:.0f}" for name, value in limits.items())
            + "."
        )
    if epochs := found.get("epochs"):
        header = "paradigm", "precision", "times the plain loop", "images/s", "plain", "device busy", "plain"
        rows = [
            (
                row["paradigm"],
                row["precision"],
                f"{row['times_faster_than_plain_loop']:.1f}",
                f"{row['images_per_s']:,.0f}",
                f"{row['plain_images_per_s']:,.0f}",
                _share(row.get("device_busy_share")),
                _share(row.get("plain_device_busy_share")),
            )
            for row in epochs
        ]
        parts += ["### An epoch, feeding included", _table(header, rows)]
    if steps := found.get("steps"):
        precisions = sizes["precisions"]
        by_setup: dict[str, dict[str, float]] = {}
        for row in steps:
            by_setup.setdefault(row["setup"], {})[row["precision"]] = row["step_ms"]
        rows = [(name, *(f"{ms[one]:.2f}" for one in precisions)) for name, ms in by_setup.items()]
        parts += ["### A training step in ms", _table(("setup", *precisions), rows)]
    if graphs := found.get("graphs"):
        header = "paradigm", "precision", "without", "with", "times faster"
        rows = [
            (row["paradigm"], row["precision"], "not captured", row["reason"], "")
            if "reason" in row
            else (
                row["paradigm"],
                row["precision"],
                *(f"{row[k]:.2f}" for k in ("eager_step_ms", "graph_step_ms", "times_faster_with_graph")),
            )
            for row in graphs
        ]
        parts += ["### A step in ms without and with a CUDA graph", _table(header, rows)]
    if found.get("left_out"):
        parts.append(f"Left out for want of time: {', '.join(found['left_out'])}.")
    return "\n\n".join(parts)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(value: float | None) -> str:
    return "not measured" if value is None or value != value else f"{100 * value:.0f} %"
