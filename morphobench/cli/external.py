"""Evaluate one file of embeddings, whoever made it, and lay the metrics out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from morphobench._util.json import plain
from morphobench.errors import InputError
from morphobench.run.evaluate import described
from morphobench.setups import PROFILES
from morphobench.types import DEFAULT_PROTOCOL, PROTOCOLS, Aggregate, Normalization, Protocol

_ARROWS = {"up": "↑", "down": "↓", "none": ""}


def evaluate_file(
    path: Path,
    *,
    tasks: Sequence[str] | None = None,
    protocol: Protocol | None = None,
    seed: int = 0,
    profile: str = "paper",
    pairs: Sequence[tuple[str, str]] | None = None,
    balance_classes: bool = False,
    aggregate: Aggregate | None = None,
    normalize: Normalization | None = None,
) -> dict[str, Any]:
    """Metrics, tables and warnings of the embeddings in ``path``, as plain JSON types.

    ``tasks``: all where None. ``protocol``: the one the file was made under, else corrected-1. A file without
    ``Metadata_Split`` is split here from ``seed``. ``pairs``, ``balance_classes``, ``aggregate`` and
    ``normalize`` as in ``EvaluationInput``; all are kept under ``options``. InputError for an unknown task or
    an unfit file.
    """
    from morphobench.data import split
    from morphobench.embeddings import read_embeddings
    from morphobench.evaluation import EvaluationInput
    from morphobench.evaluation import evaluate as evaluate_tasks
    from morphobench.evaluation.api import TASKS

    embeddings, metadata, provenance = read_embeddings(path)
    made_under = provenance.get("protocol")
    protocol = protocol or (made_under if made_under in PROTOCOLS else DEFAULT_PROTOCOL)
    chosen = list(TASKS) if tasks is None else list(tasks)
    unknown = [name for name in chosen if name not in TASKS]
    if unknown:
        raise InputError(f"--task: of {', '.join(TASKS)} wanted, got {', '.join(unknown)}")
    warnings: list[str] = []
    if made_under not in (None, protocol):
        warnings.append(f"made under {made_under}, evaluated under {protocol}: belongs in neither's tables")
    if "Metadata_Split" not in metadata:
        parts = split(metadata, seed=seed)
        metadata = metadata.assign(Metadata_Split=np.asarray(parts.labels, dtype=object))
        warnings += [f"no Metadata_Split: split by {parts.grouped_by}", *parts.warnings]
    inputs = EvaluationInput(
        embeddings=embeddings,
        metadata=metadata,
        protocol=protocol,
        seed=seed,
        sweep=PROFILES[profile].sweep,
        pairs=None if pairs is None else tuple(pairs),
        balance_classes=balance_classes,
        aggregate=aggregate or "median",
        normalize=normalize or "mad_robustize",
    )
    results = evaluate_tasks(inputs, tasks=chosen)
    metrics: dict[str, float] = {}
    for task, result in results.items():
        metrics |= result.metrics
        warnings += [f"{task}: {text}" for text in result.warnings]
    return dict(
        plain(
            {
                "setup": f"external/{path.stem}",
                "protocol": protocol,
                "seed": seed,
                "images": len(embeddings),
                "features": embeddings.shape[1],
                "provenance": provenance,
                "options": {
                    "profile": profile,
                    "pairs": inputs.pairs,
                    "balance_classes": inputs.balance_classes,
                    "aggregate": inputs.aggregate,
                    "normalize": inputs.normalize,
                },
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


def evaluate_into(path: Path, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """The embeddings of ``path`` in the run ``chosen.into``; InputError where the run's own options count."""
    from morphobench.run.imported_embeddings import add_external

    own = [
        f"--{name.replace('_', '-')}"
        for name in (
            "task",
            "protocol",
            "seed",
            "profile",
            "pairs",
            "balance_classes",
            "aggregate",
            "normalize",
        )
        if getattr(chosen, name) not in (None, False)
    ]
    if own:
        raise InputError(f"--into: the options of the run wanted, got {', '.join(own)} besides")
    added = add_external(
        path, chosen.into, name=chosen.name, other_images=chosen.other_images, fresh=chosen.fresh
    )
    return [record.to_json() for record in added]


def metric_table(found: Mapping[str, Any]) -> Table:
    """One row a metric: value, which way is better, what chance gives, what it says."""
    from morphobench.evaluation.api import METRICS

    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"{found['setup']}, protocol {found['protocol']}: {found['images']} images, "
        f"{found['features']} features",
    )
    table.add_column("metric", no_wrap=True)
    for header in ("value", "95 % interval", "better", "chance", "unit"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("what it says", overflow="fold")
    for name, value in found["metrics"].items():
        known = METRICS[name]
        table.add_row(
            name,
            "undefined" if value is None else f"{value:.4g}",
            _bounds((found.get("intervals") or {}).get(name)),
            _ARROWS[known.direction],
            "" if known.chance is None else f"{known.chance:.3g}",
            known.unit,
            known.description,
        )
    return table


def _bounds(pair: Sequence[float] | None) -> str:
    return "" if not pair else f"{pair[0]:.3g} to {pair[1]:.3g}"
