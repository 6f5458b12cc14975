"""Evaluation of embeddings: the tasks, their metrics, distances and baselines.

The names below load on first use, so that ``distances`` works where numpy is all there is.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from morphobench.evaluation import baselines, distances, tasks
    from morphobench.evaluation.api import (
        METRICS,
        TASKS,
        EvaluationInput,
        MetricInfo,
        TaskResult,
        evaluate,
    )

__all__ = [
    "METRICS",
    "TASKS",
    "EvaluationInput",
    "MetricInfo",
    "TaskResult",
    "baselines",
    "distances",
    "evaluate",
    "tasks",
]


def __getattr__(name: str) -> Any:
    if name in ("baselines", "distances", "tasks"):
        return import_module(f"morphobench.evaluation.{name}")
    if name in __all__:
        return getattr(import_module("morphobench.evaluation.api"), name)
    raise AttributeError(f"module 'morphobench.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__file__", "__path__"]
