"""Entry point of the evaluation: run tasks on one set of embeddings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

import morphobench.evaluation.tasks  # noqa: F401  it registers the tasks
from morphobench.data import splits
from morphobench.errors import InputError
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.registry import (
    METRICS,
    TASKS,
    MetricInfo,
    TaskResult,
    default_tasks,
    load_installed_tasks,
    register,
    task_name,
)

__all__ = ["METRICS", "TASKS", "EvaluationInput", "MetricInfo", "TaskResult", "evaluate", "register"]

load_installed_tasks()


def evaluate(inputs: EvaluationInput, *, tasks: Iterable[str] | None = None) -> dict[str, TaskResult]:
    """Run tasks on one set of embeddings.

    With ``split="none"`` among the options all images are reported, as the test split, and what needs a train
    part is undefined. Without ``Metadata_Split`` the images are split by `morphobench.data.splits.split` and
    ``inputs.seed``; its warnings are then part of every result. A metric that the data cannot define is NaN,
    with a warning in the result.

    Args:
        inputs: Embeddings, metadata and options.
        tasks: Names of registered tasks, or "package.module:function"; None: all that are registered, those
            of installed packages among them, but for those run on request.

    Returns:
        Result by task.

    Raises:
        InputError: An unknown task, or data that no task can read.
        CheckError: The given split has one file in two parts.
    """
    chosen = [task_name(name) for name in (default_tasks() if tasks is None else tasks)]
    inputs, warnings = _with_split(inputs)
    results = {name: _check_metrics(name, TASKS[name](inputs)) for name in chosen}
    return {name: replace(each, warnings=warnings + each.warnings) for name, each in results.items()}


def _with_split(inputs: EvaluationInput) -> tuple[EvaluationInput, tuple[str, ...]]:
    if inputs.options.split == "none":
        return replace(inputs, metadata=inputs.metadata.assign(Metadata_Split="test")), ()
    if "Metadata_Split" in inputs.metadata:
        given = np.asarray(inputs.metadata["Metadata_Split"], dtype=np.str_)
        splits.check_leakage(inputs.metadata, given, grouped_by="given")
        return inputs, ()
    made = splits.split(inputs.metadata, seed=inputs.seed)
    return replace(inputs, metadata=inputs.metadata.assign(Metadata_Split=made.labels)), made.warnings


def _check_metrics(name: str, result: TaskResult) -> TaskResult:
    unknown_metrics = [key for key in result.metrics if key not in METRICS]
    if unknown_metrics:
        raise InputError(
            f"task {name} must report only the metrics that it registered, got {', '.join(unknown_metrics)}"
        )
    return result
