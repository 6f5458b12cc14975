"""Evaluate one file of embeddings, whoever made it, and lay the metrics out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from morphobench._util.json import plain
from morphobench.cli.options import EvaluateOptions
from morphobench.errors import InputError
from morphobench.report.render.formats import ARROWS
from morphobench.types import DEFAULT_PROTOCOL, PROTOCOLS, Protocol


def evaluate_file(path: Path, options: EvaluateOptions) -> dict[str, Any]:
    """Evaluate a file of embeddings; one without ``Metadata_Split`` is split here.

    Args:
        path: The file.
        options: Protocol, seed and options of the evaluation.

    Returns:
        Metrics, tables, warnings and options, as plain JSON types.

    Raises:
        InputError: An unknown task, or a file that cannot be evaluated.
    """
    from morphobench.data import split
    from morphobench.embeddings import read_embeddings
    from morphobench.evaluation import EvaluationInput, evaluate
    from morphobench.run.evaluate import described

    seed, evaluation = options.seed, options.evaluation
    embeddings, metadata, provenance = read_embeddings(path)
    made_under = provenance.get("protocol")
    protocol: Protocol = options.protocol or (made_under if made_under in PROTOCOLS else DEFAULT_PROTOCOL)
    warnings: list[str] = []
    if made_under not in (None, protocol):
        warnings.append(f"made under {made_under}, evaluated under {protocol}: belongs in neither's tables")
    if evaluation.split == "auto" and (options.split_by != "auto" or "Metadata_Split" not in metadata):
        by = options.split_by
        parts = split(metadata, seed=seed, group_by=None if by == "auto" else by)
        metadata = metadata.assign(Metadata_Split=np.asarray(parts.labels, dtype=object))
        warnings += [f"split by {parts.grouped_by}, made here", *parts.warnings]
    inputs = EvaluationInput(embeddings, metadata, evaluation, protocol=protocol, seed=seed)
    results = evaluate(inputs, tasks=evaluation.tasks)
    metrics: dict[str, float] = {}
    for result in results.values():
        metrics |= result.metrics
        warnings += result.warnings
    return dict(
        plain(
            {
                "setup": f"external/{path.stem}",
                "protocol": protocol,
                "seed": seed,
                "images": len(embeddings),
                "features": embeddings.shape[1],
                "provenance": provenance,
                "options": {"profile": options.profile, **evaluation.describe()},
                "metrics": metrics,
                **described({k: v for one in results.values() for k, v in one.intervals.items()}),
                "warnings": warnings,
                "tables": {
                    f"{task}.{name}": table.to_dict("list")
                    for task, result in results.items()
                    for name, table in result.tables.items()
                },
            }
        )
    )


def evaluate_into(path: Path, options: EvaluateOptions) -> list[dict[str, Any]]:
    """Evaluate a file of embeddings as a run does, and add it to the run's records.

    Args:
        path: The file.
        options: The run, the name of the row, and whether other images are taken.

    Returns:
        Its records, one per seed.

    Raises:
        InputError: The folder is no run, or the file cannot be matched with its images.
    """
    from morphobench.run.imported_embeddings import add_external

    if options.into is None:
        raise InputError("--into must be given")
    added = add_external(
        path, options.into, name=options.name, other_images=options.other_images, fresh=options.fresh
    )
    return [record.to_json() for record in added]


def metric_table(found: Mapping[str, Any]) -> Table:
    """Make a table with a row per metric: what it says, its value, which way is better, what chance gives.

    Args:
        found: What `evaluate_file` returned, or a record.

    Returns:
        The table.
    """
    from morphobench.evaluation.api import METRICS

    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"{found['setup']}, protocol {found['protocol']}: {found['images']} images, "
        f"{found['features']} features",
    )
    # what a metric says stands below its name: a column of its own would be a few letters wide
    table.add_column("metric", overflow="fold", min_width=max(map(len, found["metrics"]), default=0))
    for header in ("value", "95 % interval", "better", "chance"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, value in found["metrics"].items():
        known = METRICS[name]
        table.add_row(
            f"{name}\n  {known.description}",
            "undefined" if value is None else f"{value:.4g} {known.unit}".rstrip(),
            _bounds((found.get("intervals") or {}).get(name)),
            ARROWS[known.direction],
            "" if known.chance is None else f"{known.chance:.3g}",
        )
    return table


def _bounds(pair: Sequence[float] | None) -> str:
    return "" if not pair else f"{pair[0]:.3g} to {pair[1]:.3g}"
