"""What every evaluation task takes and gives, and the registers of tasks and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.setups import Sweep
from morphobench.types import (
    DEFAULT_PROTOCOL,
    PROTOCOLS,
    Aggregate,
    BoolArray,
    Direction,
    Float32Array,
    Int64Array,
    Normalization,
)
from morphobench.types import Protocol as ProtocolId

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class MetricInfo:
    """What a reader must know about a metric.

    ``direction``: whether larger ("up") or smaller ("down") is better; "none" is descriptive. ``chance``: the
    value expected of embeddings that say nothing, None where it depends on the data. ``unit``: "" for a
    ratio.
    """

    direction: Direction
    chance: float | None
    unit: str
    description: str


@dataclass(frozen=True)
class EvaluationInput:
    """Embeddings of images with their metadata, and how to evaluate them.

    ``embeddings``: float (N, D), finite. ``metadata``: N rows with ``Metadata_`` columns;
    ``Metadata_Split`` says train, validation or test; ``Metadata_Path`` (or ``path``), the image's file,
    where it is known. ``pairs``: compounds expected alike, for similarity (None: the protocol's choice).
    ``balance_classes``: weigh the classes of the classifier's loss by their rarity. ``aggregate``: how a
    well's images become its profile, ``normalize``: what profiles are put to controls by. ``device``: where
    the classifiers train. ``threads``: how many the layouts of clustering use (None: one per processor); no
    result depends on it. Raises InputError.
    """

    embeddings: Float32Array
    metadata: pd.DataFrame
    protocol: ProtocolId = DEFAULT_PROTOCOL
    seed: int = 0
    sweep: Sweep = field(default_factory=Sweep)
    pairs: tuple[tuple[str, str], ...] | None = None
    balance_classes: bool = False
    aggregate: Aggregate = "median"
    normalize: Normalization = "mad_robustize"
    device: str = "cpu"
    threads: int | None = None

    def __post_init__(self) -> None:
        embeddings = np.asarray(self.embeddings)
        if embeddings.ndim != 2 or embeddings.dtype.kind != "f" or 0 in embeddings.shape:
            raise InputError(
                "embeddings: floating-point (N, D) with N, D >= 1 wanted, "
                f"got {embeddings.dtype} {embeddings.shape}"
            )
        if len(self.metadata) != len(embeddings):
            raise InputError(
                f"metadata: one row per embedding ({len(embeddings)}) wanted, got {len(self.metadata)}"
            )
        if self.protocol not in PROTOCOLS:
            raise InputError(f"protocol: one of {', '.join(PROTOCOLS)} wanted, got {self.protocol!r}")
        bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
        if len(bad):
            raise InputError(f"embeddings: finite values wanted, got NaN or infinity in {_rows(bad)}")
        if "Metadata_Split" in self.metadata:
            unknown = sorted(set(self.metadata["Metadata_Split"].astype(str)) - set(SPLITS))
            if unknown:
                raise InputError(f"Metadata_Split: {', '.join(SPLITS)} wanted, got {', '.join(unknown)}")
        object.__setattr__(
            self, "embeddings", np.ascontiguousarray(embeddings.astype(np.float32, copy=False))
        )
        object.__setattr__(self, "metadata", self.metadata.reset_index(drop=True))

    def column(self, name: str) -> NDArray[np.object_] | None:
        """The column ``Metadata_<name>`` as text, missing values as ""; None where it is absent or empty."""
        full = f"Metadata_{name}"
        if full not in self.metadata or self.metadata[full].isna().all():
            return None
        values = self.metadata[full]
        return np.asarray(values.astype(object).where(values.notna(), "").astype(str), dtype=object)

    def column_of(self, name: str, rows: Int64Array) -> NDArray[np.object_] | None:
        """:meth:`column` of ``rows`` alone; None where it is absent or empty."""
        values = self.column(name)
        return None if values is None else values[rows]

    def labels(self) -> Int64Array:
        """0 for negative controls, 1 for other images, -1 where it is not said; int64 (N,).

        InputError without any control type.
        """
        kinds = self.column("ControlType")
        if kinds is None:
            raise InputError(
                "Metadata_ControlType: a column of negcon and trt wanted to tell controls, got none"
            )
        return np.where(kinds == "", -1, np.where(kinds == "negcon", 0, 1)).astype(np.int64)

    def paths(self) -> NDArray[np.object_] | None:
        """The file name that each image came from; None where it is not known."""
        if (paths := self.column("Path")) is not None:
            return paths
        return self.metadata["path"].astype(str).to_numpy(dtype=object) if "path" in self.metadata else None

    def cell_lines(self) -> NDArray[np.object_]:
        """The cell line of each row; "all" for every row where none is known."""
        lines = self.column("CellLine")
        return np.full(len(self.metadata), "all", dtype=object) if lines is None else lines

    def in_split(self, name: str) -> BoolArray:
        """Which rows are in the split ``name``; InputError without ``Metadata_Split``."""
        if "Metadata_Split" not in self.metadata:
            raise InputError("Metadata_Split: a column of train, validation and test wanted, got none")
        return np.asarray(self.metadata["Metadata_Split"] == name, dtype=bool)

    def reported(self) -> BoolArray:
        """The rows that a task without training looks at: test under corrected-1, all under reference-1."""
        if self.protocol == "reference-1":
            return np.ones(len(self.metadata), dtype=bool)
        return self.in_split("test")


@dataclass(frozen=True)
class TaskResult:
    """What a task found: numbers by ``task.metric`` (NaN: undefined), tables, and what to know about them."""

    metrics: dict[str, float]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    intervals: dict[str, Interval] = field(default_factory=dict)


Task: TypeAlias = Callable[[EvaluationInput], TaskResult]

TASKS: dict[str, Task] = {}
"""Every registered task by name."""

METRICS: dict[str, MetricInfo] = {}
"""Every metric that a registered task may report, by ``task.metric``."""


def register(name: str, *, metrics: Mapping[str, MetricInfo]) -> Callable[[Task], Task]:
    """Decorator: adds a task under ``name`` with its ``metrics`` (names without the task); refuses
    duplicates.
    """

    def add(task: Task) -> Task:
        if name in TASKS:
            raise InputError(f"task: a name not yet registered wanted, got {name!r}")
        TASKS[name] = task
        METRICS.update({f"{name}.{metric}": info for metric, info in metrics.items()})
        return task

    return add


def evaluate(
    inputs: EvaluationInput, *, tasks: Iterable[str] = ("similarity", "classification", "clustering")
) -> dict[str, TaskResult]:
    """Runs ``tasks`` on one set of embeddings; the results by task.

    Without ``Metadata_Split`` the images are split as ``data.splits`` does, by ``inputs.seed``, with its
    warnings in every result. A metric that the data cannot define is NaN with a warning in the result.
    Raises InputError for an unknown task or data that no task can read, CheckError for a given split with
    one file in two parts.
    """
    chosen = list(tasks)
    unknown = [name for name in chosen if name not in TASKS]
    if unknown:
        raise InputError(f"tasks: of {', '.join(TASKS)} wanted, got {', '.join(unknown)}")
    inputs, warnings = _split(inputs)
    results = {name: _checked(name, TASKS[name](inputs)) for name in chosen}
    return {name: replace(each, warnings=warnings + each.warnings) for name, each in results.items()}


def undefined(name: str, *warnings: str) -> TaskResult:
    """The result of a task that the data does not allow: every metric NaN, and why."""
    prefix = f"{name}."
    return TaskResult({key: float("nan") for key in METRICS if key.startswith(prefix)}, warnings=warnings)


def median_and_deviation(values: Iterable[float]) -> tuple[float, float]:
    """The median, and the median absolute deviation from it (not scaled); NaN left out, NaN for none.

    The deviation of a single value is NaN: one unit says nothing about the spread.
    """
    known = np.asarray([value for value in values if np.isfinite(value)], dtype=np.float64)
    if not len(known):
        return float("nan"), float("nan")
    middle = float(np.median(known))
    return middle, float(np.median(np.abs(known - middle))) if len(known) > 1 else float("nan")


def _split(inputs: EvaluationInput) -> tuple[EvaluationInput, tuple[str, ...]]:
    from morphobench.data import splits

    if "Metadata_Split" in inputs.metadata:
        given = np.asarray(inputs.metadata["Metadata_Split"], dtype=np.str_)
        splits.check_leakage(inputs.metadata, given, grouped_by="given")
        return inputs, ()
    made = splits.split(inputs.metadata, seed=inputs.seed)
    return replace(inputs, metadata=inputs.metadata.assign(Metadata_Split=made.labels)), made.warnings


def _checked(name: str, result: TaskResult) -> TaskResult:
    strangers: list[Any] = [key for key in result.metrics if key not in METRICS]
    if strangers:
        raise InputError(f"task {name}: metrics that it registered wanted, got {', '.join(strangers)}")
    return result


def _rows(rows: Int64Array) -> str:
    shown = ", ".join(str(row) for row in rows[:5])
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{', ...' if len(rows) > 5 else ''}"
