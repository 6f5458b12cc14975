"""Which quantities a table shows, what they are called, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from morphobench.run.record import Record
from morphobench.types import Direction


@dataclass(frozen=True)
class Column:
    """A quantity of a record: ``key`` is ``task.metric``, a cost of the record, or a cost made from one.

    ``unit`` is "ns" and "bytes" for what is shown in the unit that suits, else a text such as "%" or "".
    ``chance`` is what embeddings that say nothing would score, None where that depends on the data.
    ``header`` is the label in few and short words, where the label is long.
    """

    key: str
    label: str
    direction: Direction
    unit: str = ""
    chance: float | None = None
    description: str = ""
    header: str = ""

    @property
    def heading(self) -> str:
        """The label over a narrow column: each word is a line."""
        return self.header or self.label

    @property
    def is_cost(self) -> bool:
        """Whether it is time or memory, and no quality."""
        return self.key in _COST_KEYS

    @property
    def is_ratio(self) -> bool:
        """Whether it is a ratio to the best of another column."""
        return self.key in ("time_ratio", "memory_ratio")


COSTS = (
    Column(
        "time_per_view_ns",
        "training time per view",
        "down",
        "ns",
        None,
        "step / batch size, median",
        "time/ view",
    ),
    Column(
        "time_ratio",
        "time to best",
        "none",
        "×",
        None,
        "time per view over the shortest of all setups",
        "÷ best",
    ),
    Column(
        "time_per_image_ns",
        "training time per image",
        "down",
        "ns",
        None,
        "an epoch / its images, feeding included",
        "time/ image",
    ),
    Column(
        "peak_host_memory_bytes", "peak host memory", "down", "bytes", None, "of its own process", "host mem."
    ),
    Column("memory_ratio", "memory to best", "none", "×", None, "host memory over the smallest", "÷ best"),
    Column(
        "peak_device_memory_bytes", "peak device memory", "down", "bytes", None, "allocated", "device mem."
    ),
)
_COST_KEYS = frozenset(column.key for column in COSTS)

_HEADLINE = {
    "similarity.d": ("similarity d", "simil. d"),
    "classification.roc_auc": ("ROC AUC", "ROC AUC"),
    "classification.accuracy": ("accuracy", "accu- racy"),
    "clustering.silhouette": ("silhouette", "silh- ouette"),
    "clustering.noise": ("noise", "noise"),
    "clustering.consistency": ("cluster consistency", "consis- tency"),
}
"""The one table's metrics with their labels and headers."""

PRIMARY = ("similarity.d", "classification.roc_auc")
"""The metrics whose deviation between seeds the one table has room for."""


def directory() -> Mapping[str, Column]:
    """Every metric that the evaluation declares, by ``task.metric``."""
    from morphobench.evaluation.api import METRICS  # its package registers the tasks when it is imported

    found = {}
    for key, info in METRICS.items():
        label, header = _HEADLINE.get(key, (key.partition(".")[2].replace("_", " "), ""))
        found[key] = Column(key, label, info.direction, info.unit, info.chance, info.description, header)
    return found


def metric_columns(
    records: Iterable[Record], *, known: Mapping[str, Column] | None = None
) -> tuple[Column, ...]:
    """A column for every metric that any record has, in the order of first appearance.

    ``known``: what is known of metrics (default: :func:`directory`). A metric that is not known (made by
    another version) gets no direction, so that nothing is ever called best by guess.
    """
    known = directory() if known is None else known
    names = dict.fromkeys(key for record in records for key in record.metrics)
    return tuple(known.get(key, Column(key, key.partition(".")[2], "none")) for key in names)


def headline(columns: Iterable[Column]) -> tuple[Column, ...]:
    """The handful of quality columns that the one table shows, in its order."""
    present = {column.key: column for column in columns}
    return tuple(present[key] for key in _HEADLINE if key in present)
