"""Embeddings through the tasks of a run: what a record keeps of it, and the tables as files."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from morphobench._util.files import write_whole
from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.options import EvaluationOptions
from morphobench.types import Float32Array, Protocol


def inputs_of(
    embeddings: Float32Array,
    metadata: pd.DataFrame,
    options: EvaluationOptions,
    *,
    protocol: Protocol,
    seed: int,
    device: str = "cpu",
) -> EvaluationInput:
    """Make the input of the tasks.

    Args:
        embeddings: Embeddings of N images, float (N, D).
        metadata: Their metadata, N rows.
        options: How they are evaluated.
        protocol: Rules of the evaluation.
        seed: Seed of the tasks' random numbers.
        device: Device that classifiers train on.

    Returns:
        The input.

    Raises:
        InputError: Embeddings or metadata that cannot be evaluated.
    """
    return EvaluationInput(
        embeddings=embeddings,
        metadata=metadata,
        protocol=protocol,
        seed=seed,
        options=options,
        device=device,
    )


def evaluated(inputs: EvaluationInput, tasks: Iterable[str], tables: Path) -> dict[str, Any]:
    """Evaluate embeddings, and write the tables of the tasks.

    Args:
        inputs: The embeddings, and how to evaluate them.
        tasks: Names of tasks.
        tables: Folder of the tables; they become TASK.NAME.csv.

    Returns:
        A record's ``metrics``, ``intervals`` (null where there is none, and why) and ``tasks``.
    """
    spent: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    for task in tasks:
        started = time.perf_counter()
        ((task, result),) = evaluate(inputs, tasks=(task,)).items()  # under its registered name
        spent[task] = {"seconds": time.perf_counter() - started, "warnings": list(result.warnings)}
        metrics |= result.metrics
        intervals |= result.intervals
        for name, table in result.tables.items():
            write_whole(tables / f"{task}.{name}.csv", table.to_csv(index=False))
    return {"metrics": metrics, **described(intervals), "tasks": spent}


def described(intervals: dict[str, Interval]) -> dict[str, Any]:
    """Lay intervals out as a record keeps them.

    Args:
        intervals: Intervals by metric.

    Returns:
        ``intervals`` by metric as [low, high] or null, ``interval_units`` of those that are there, and
        ``interval_reasons`` of those that are not.
    """
    return {
        "intervals": {key: one.pair for key, one in intervals.items()},
        "interval_units": {key: f"{one.units} {one.unit}s" for key, one in intervals.items() if one},
        "interval_reasons": {key: str(one.reason) for key, one in intervals.items() if not one},
    }
