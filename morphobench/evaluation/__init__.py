"""The tasks that judge embeddings: similarity, classification, clustering."""

from __future__ import annotations

from morphobench.evaluation import baselines, classification, clustering, distances, profiling, similarity
from morphobench.evaluation.base import (
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
    "classification",
    "clustering",
    "distances",
    "evaluate",
    "profiling",
    "similarity",
]
