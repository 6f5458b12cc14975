"""Registry of evaluation tasks and their metrics.

A task is a function from `EvaluationInput` to `TaskResult`, registered under a name together with what its
metrics mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TypeAlias

import pandas as pd

from morphobench._util.plugins import load_plugin
from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.types import Direction


@dataclass(frozen=True)
class MetricInfo:
    """What a reader must know about a metric.

    Attributes:
        direction: Whether a larger ("up") or smaller ("down") value is better; "none": descriptive only.
        chance: Value expected of embeddings that carry no information; None where it depends on the data.
        unit: Unit of the value; "" for a ratio.
        description: One line for tables and the report.
    """

    direction: Direction
    chance: float | None
    unit: str
    description: str


@dataclass(frozen=True)
class TaskResult:
    """Result of one task.

    Attributes:
        metrics: Value by ``task.metric``; NaN where the data cannot define it.
        tables: Data frames by name, written as CSV beside the record.
        warnings: Sentences for the reader of the result.
        intervals: 95 % interval, or the reason why there is none, by ``task.metric``.
    """

    metrics: dict[str, float]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    intervals: dict[str, Interval] = field(default_factory=dict)


Task: TypeAlias = Callable[[EvaluationInput], TaskResult]

ENTRY_POINT_GROUP = "morphobench.tasks"

TASKS: dict[str, Task] = {}
"""Every registered task by name."""

ON_REQUEST: set[str] = set()
"""Tasks that are run only where they are named: they need further packages."""

METRICS: dict[str, MetricInfo] = {}
"""Every metric that a registered task may report, by ``task.metric``."""

RENAMED_METRICS: dict[str, str] = {"clustering.purity": "clustering.homogeneity"}
"""Metrics of older records under their present names."""


def register(
    name: str, *, metrics: Mapping[str, MetricInfo], on_request: bool = False
) -> Callable[[Task], Task]:
    """Make a decorator that registers a task.

    Args:
        name: Name of the task, as in ``--task`` and before the dot of its metrics.
        metrics: What its metrics mean, by name without the task's.
        on_request: Whether it is run only where it is named.

    Returns:
        Decorator that returns the task unchanged.

    Raises:
        InputError: The name is taken.
    """

    def add(task: Task) -> Task:
        if name in TASKS:
            raise InputError(f"task name must be new, got {name!r}, which is registered already")
        TASKS[name] = task
        if on_request:
            ON_REQUEST.add(name)
        METRICS.update({f"{name}.{metric}": info for metric, info in metrics.items()})
        return task

    return add


def default_tasks() -> tuple[str, ...]:
    """List the tasks that are run where none is named.

    Returns:
        All registered tasks but those of `ON_REQUEST`.
    """
    return tuple(name for name in TASKS if name not in ON_REQUEST)


def load_installed_tasks() -> None:
    """Import the tasks of installed packages (entry points of the group ``morphobench.tasks``).

    Raises:
        InputError: One cannot be imported, or does not register a task.
    """
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        task_name(entry.value)


def task_name(name: str, *, label: str = "task") -> str:
    """Find the registered name of a task, importing it where it is given by its place.

    Args:
        name: Registered name, or "package.module:function" of a task that `register` decorates.
        label: How to name the argument in an error.

    Returns:
        Name under which the task is registered.

    Raises:
        InputError: There is no such task.
    """
    if ":" not in name:
        if name not in TASKS:
            known = ", ".join(TASKS)
            raise InputError(f"{label} must be of {known} or 'package.module:function', got {name!r}")
        return name
    task = load_plugin(name, label=label)
    for registered, function in TASKS.items():
        if function is task:
            return registered
    raise InputError(
        f"{label} must be a function decorated with morphobench.evaluation.registry.register, got {name!r}"
    )


def undefined(name: str, *warnings: str) -> TaskResult:
    """Make the result of a task that the data does not allow.

    Args:
        name: Registered name of the task.
        *warnings: Why it is undefined.

    Returns:
        Result in which every metric of the task is NaN.
    """
    prefix = f"{name}."
    return TaskResult({key: float("nan") for key in METRICS if key.startswith(prefix)}, warnings=warnings)
