"""Embeddings through the tasks of a run: what a record keeps of it, and the tables as files."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from morphobench._util.files import write_whole
from morphobench._util.text import csv_table
from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.evaluation.registry import METRICS, TASKS


def evaluated(inputs: EvaluationInput, tasks: Iterable[str], tables: Path) -> dict[str, Any]:
    """Evaluate embeddings, and write the tables of the tasks.

    Args:
        inputs: The embeddings, and how to evaluate them.
        tasks: Names of tasks.
        tables: Folder of the tables; they become TASK.NAME.csv.

    Returns:
        A record's ``metrics``, ``intervals`` (null where there is none, and why), ``tasks``, and
        ``own_metrics``: what the metrics of tasks mean that are not of this package.
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
            write_whole(tables / f"{task}.{name}.csv", csv_table(table))
    own = {
        name: asdict(METRICS[name])
        for name in metrics
        if str(TASKS[name.partition(".")[0]].__module__).partition(".")[0] != "morphobench"
    }
    return {"metrics": metrics, **described(intervals), "tasks": spent, "own_metrics": own or None}


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
