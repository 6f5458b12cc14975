"""Embeddings through the tasks of a run: what a record keeps of it, and the tables as files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from morphobench._util.files import write_whole
from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.evaluation.bootstrap.interval import Interval


def evaluated(inputs: EvaluationInput, tasks: Sequence[str], tables: Path) -> dict[str, Any]:
    """A record's ``metrics``, ``intervals`` (null where there is none, and why) and ``tasks``.

    Tables go to ``tables``/TASK.NAME.csv.
    """
    spent: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    for task in tasks:
        started = time.perf_counter()
        result = evaluate(inputs, tasks=(task,))[task]
        spent[task] = {"seconds": time.perf_counter() - started, "warnings": list(result.warnings)}
        metrics |= result.metrics
        intervals |= result.intervals
        for name, table in result.tables.items():
            write_whole(tables / f"{task}.{name}.csv", table.to_csv(index=False))
    return {"metrics": metrics, **described(intervals), "tasks": spent}


def described(intervals: dict[str, Interval]) -> dict[str, Any]:
    """``intervals`` by metric as [low, high] or null, ``interval_units``, and ``interval_reasons`` of
    none.
    """
    return {
        "intervals": {key: one.pair for key, one in intervals.items()},
        "interval_units": {key: f"{one.units} {one.unit}s" for key, one in intervals.items() if one},
        "interval_reasons": {key: str(one.reason) for key, one in intervals.items() if not one},
    }
