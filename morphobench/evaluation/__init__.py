"""Evaluation of embeddings: the tasks, their metrics, distances and baselines."""

from __future__ import annotations

from morphobench.evaluation import baselines, distances, tasks
from morphobench.evaluation.api import evaluate
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.registry import METRICS, TASKS, MetricInfo, TaskResult

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
