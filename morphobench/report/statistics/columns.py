"""The quantities that tables show: what they are called, their units, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from morphobench.run.record import OwnMetric, Record
from morphobench.types import Direction


@dataclass(frozen=True)
class Column:
    """A quantity of a setup.

    Attributes:
        key: "task.metric", or the record's key of a cost.
        label: name for readers.
        direction: which way is better.
        unit: "ns" and "bytes" for what is shown in the unit that suits, else a text such as "%" or "".
        chance: value of embeddings that say nothing; None where that depends on the data.
        description: what it says, in a sentence.
        header: the label in few short words, for narrow columns; each word may be a line.
        is_cost: whether it is time or memory, and no quality.
        is_own: whether a plugged-in task made it; then it stands in the main table.
    """

    key: str
    label: str
    direction: Direction
    unit: str = ""
    chance: float | None = None
    description: str = ""
    header: str = ""
    is_cost: bool = False
    is_own: bool = False

    @property
    def heading(self) -> str:
        """The label over a narrow column."""
        return self.header or self.label

    @property
    def sign(self) -> int:
        """-1 where less is better, else 1: of values times it, the larger is better."""
        return -1 if self.direction == "down" else 1


COSTS = (
    Column(
        "time_per_image_ns",
        "training time per image",
        "down",
        "ns",
        description="one epoch / its images: all views, feeding included",
        header="time/ image",
        is_cost=True,
    ),
    Column(
        "peak_host_memory_bytes",
        "peak host memory",
        "down",
        "bytes",
        description="largest memory of the process that trained",
        header="host mem.",
        is_cost=True,
    ),
    Column(
        "peak_device_memory_bytes",
        "peak device memory",
        "down",
        "bytes",
        description="largest memory allocated on the GPU",
        header="GPU mem.",
        is_cost=True,
    ),
    Column(
        "time_per_view_ns",
        "training time per view",
        "down",
        "ns",
        description="median training step / batch size",
        header="time/ view",
        is_cost=True,
    ),
)

HEADLINE = {
    "similarity.d": ("similarity d", "simil. d"),
    "classification.roc_auc": ("ROC AUC", "ROC AUC"),
    "classification.accuracy": ("accuracy", "accu- racy"),
    "clustering.silhouette": ("silhouette", "silh- ouette"),
    "clustering.noise": ("noise", "noise"),
    "clustering.consistency": ("cluster consistency", "consis- tency"),
}
"""The metrics of the main table with their labels and headers."""

PRIMARY = ("classification.roc_auc", "similarity.d")
"""The metrics that a decision is made by: the first that the run has."""


def declared_metrics() -> dict[str, Column]:
    """Look up every metric that the evaluation declares.

    Returns:
        Columns by "task.metric".
    """
    from morphobench.evaluation.api import METRICS  # its package registers the tasks when it is imported

    found = {}
    for key, info in METRICS.items():
        label, header = HEADLINE.get(key, (key.partition(".")[2].replace("_", " "), ""))
        found[key] = Column(key, label, info.direction, info.unit, info.chance, info.description, header)
    return found


MARK = "‡"
"""Marks a metric whose task the audit found confounded or saturated."""


def marked(column: Column) -> str:
    """Give the mark of a column, for tables that name metrics by their keys.

    Args:
        column: The column.

    Returns:
        A space and `MARK` where the audit found its task confounded or saturated, else "".
    """
    return f" {MARK}" if column.label.endswith(f" {MARK}") else ""


def metric_columns(
    records: Sequence[Record], *, known: Mapping[str, Column] | None = None
) -> tuple[Column, ...]:
    """Make a column for every metric that any record has, the headline's first.

    Args:
        records: the records.
        known: what is known of metrics (default: what the evaluation declares). A metric that is not known
            (made by another version) gets no direction, so that nothing is ever called best by guess.

    Returns:
        The columns: those of the main table, then the others in the order of first appearance.
    """
    known = declared_metrics() if known is None else known
    own = {key: told for record in records for key, told in (record.own_metrics or {}).items()}
    known = {**known, **{key: _own_column(key, told) for key, told in own.items()}}
    names = dict.fromkeys(key for record in records for key in record.metrics)
    ordered = [*(key for key in HEADLINE if key in names), *(key for key in names if key not in HEADLINE)]
    marked = {start for record in records for start in (record.audit or {}).get("marked", {})}
    columns = (known.get(key, Column(key, key.partition(".")[2] or key, "none")) for key in ordered)
    return tuple(
        replace(one, label=f"{one.label} {MARK}", header=f"{one.heading} {MARK}")
        if one.key.startswith(tuple(marked))
        else one
        for one in columns
    )


def _own_column(key: str, told: OwnMetric) -> Column:
    """Column of a metric of a plugged-in task, from what the record says of it."""
    label = key.partition(".")[2].replace("_", " ")
    return Column(key, label, told.direction, told.unit, told.chance, told.description, is_own=True)


def primary(columns: Iterable[Column]) -> Column | None:
    """Choose the metric that setups are judged by.

    Args:
        columns: the columns of a table.

    Returns:
        The first of PRIMARY that is there, else the first quality with a direction; None without any.
    """
    quality = {column.key: column for column in columns if not column.is_cost and column.direction != "none"}
    return next((quality[key] for key in (*PRIMARY, *quality) if key in quality), None)
