"""Restrictions task: the same questions with ever more of what could give the answer away left out.

NSW, NSP, NSB: a match must not be of the same well, plate or batch. NSC, NSCB: not of the same compound, not
of the same compound or batch (Ljosa et al. 2013; Ando et al. 2017). What rises from the top of the ladder to
its foot is morphology; what falls was the plate, the batch or the compound. Beside each value stand its
chance level, the mean over compounds (or mechanisms), and the value without the most frequent compound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.evaluation.bootstrap.interval import Interval, no_interval
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.evaluation.bootstrap.resampling import Units, mean_interval, share_interval
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.profiles.table import ProfileTable, normalize_profiles, well_profiles
from morphobench.evaluation.registry import MetricInfo, TaskResult, register, undefined
from morphobench.evaluation.retrieval.leave_out import leave_compound_out
from morphobench.evaluation.retrieval.matching import neighbour_accuracy
from morphobench.evaluation.retrieval.restricted import restricted_average_precision
from morphobench.types import Float64Array

NAN = float("nan")

_STEPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "nsw": ("well", ("Well",)),
    "nsp": ("plate", ("Plate",)),
    "nsb": ("batch", ("Batch",)),
}
_MOA_STEPS = {
    "nsc": ("compound", ("Compound",)),
    "nscb": ("compound or batch", ("Compound", "Batch")),
}


def _infos(name: str, of: str, mean: str) -> dict[str, MetricInfo]:
    return {
        name: MetricInfo("up", None, "", of),
        f"{name}_{mean}": MetricInfo("up", None, "", f"{name}, {_MEANS[mean]}"),
        f"{name}_without_top": MetricInfo("up", None, "", f"{name} without the most frequent compound"),
        f"{name}_chance": MetricInfo("none", None, "", f"{name} of a random ranking"),
    }


_MEANS = {"pooled": "mean over wells", "macro": "mean over compounds or mechanisms"}

_METRICS: dict[str, MetricInfo] = {}
for _name, (_unit, _) in _STEPS.items():
    _METRICS |= _infos(
        f"map_{_name}", f"mean average precision of a compound's wells, not of the same {_unit}", "pooled"
    )
    _METRICS |= _infos(
        f"knn_{_name}", f"share of wells whose nearest, not of the same {_unit}, has their compound", "macro"
    )
for _name, (_unit, _) in _MOA_STEPS.items():
    _METRICS |= _infos(
        f"moa_{_name}",
        f"share of treatments whose nearest, not of the same {_unit}, has their mechanism",
        "macro",
    )
_METRICS["unseen_compound_auc"] = MetricInfo(
    "up", 0.5, "", "ROC AUC of drug against control wells of compounds that training left out"
)


@dataclass
class _Queries:
    """Scores of queries, with the label and compound of each."""

    scores: Float64Array
    chance: Float64Array
    names: NDArray[np.object_]
    compounds: NDArray[np.object_]
    deviation: Float64Array = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def join(cls, parts: Sequence[_Queries]) -> _Queries:
        numbers, texts = [np.zeros(0)], [np.zeros(0, dtype=object)]
        return cls(
            np.concatenate([*numbers, *(part.scores for part in parts)]),
            np.concatenate([*numbers, *(part.chance for part in parts)]),
            np.concatenate([*texts, *(part.names for part in parts)]),
            np.concatenate([*texts, *(part.compounds for part in parts)]),
            np.concatenate([*numbers, *(part.deviation for part in parts)]),
        )

    def table(self) -> pd.DataFrame:
        """A row per query, in an order that depends on the metadata alone."""
        return pd.DataFrame(
            {
                "Metadata_Query": np.arange(len(self.scores)),
                "Metadata_Compound": self.compounds,
                "Metadata_Label": self.names,
                "score": self.scores,
            }
        )

    def macro(self) -> float:
        """Mean over names of the mean over their queries."""
        return float(pd.Series(self.scores).groupby(self.names).mean().mean()) if len(self.scores) else NAN

    def without_top(self) -> _Queries:
        """The queries that are not of the most frequent compound."""
        if not len(self.scores):
            return self
        top = pd.Series(self.compounds).value_counts().index[0]
        kept = self.compounds != top
        return _Queries(self.scores[kept], self.chance[kept], self.names[kept], self.compounds[kept])


@register("restrictions", metrics=_METRICS)
def restrictions(inputs: EvaluationInput) -> TaskResult:
    """Compute retrieval, matching and classification under each restriction.

    Profiles are those of the profiling task, compared within a cell line on the split that is reported. NSB
    and NSCB need ``Metadata_Batch``: plates do not stand in for batches. Mechanisms whose
    compounds are all of one batch (or one compound) cannot be matched and are named in a warning.

    Args:
        inputs: Embeddings and metadata.

    Returns:
        Metrics, intervals over compounds (mechanisms for matching), the scores of the queries in a table a
        restriction ("map_nsp", ...), and the table "unanswerable".

    Raises:
        InputError: No control type is known.
    """
    if inputs.column("Compound") is None:
        return undefined("restrictions", "restrictions: the metadata has no Metadata_Compound")
    warnings: list[str] = []
    wells = well_profiles(inputs, [], how=inputs.options.aggregate)
    wells, _ = normalize_profiles(wells, inputs.options.normalize, [])
    treated = wells.select(wells.reported & ~wells.controls)
    metrics: dict[str, float] = dict.fromkeys(_METRICS, NAN)
    intervals: dict[str, Interval] = {}
    tables: dict[str, pd.DataFrame] = {}
    has_batches = len(set(treated.columns["Batch"]) - {""}) > 1
    if not has_batches:
        warnings.append("restrictions: no two batches in Metadata_Batch, so NSB and NSCB are undefined")
    for name, (_, columns) in _STEPS.items():
        if name == "nsb" and not has_batches:
            continue
        found = _retrieve(treated, columns, inputs)
        metrics |= {
            f"map_{name}": found.macro(),
            f"map_{name}_pooled": _mean(found.scores),
            f"map_{name}_without_top": found.without_top().macro(),
            f"map_{name}_chance": replace(found, scores=found.chance).macro(),
        }
        if len(found.scores):
            intervals[f"map_{name}"] = _over_compounds(found, inputs.seed)
        matched = _match(treated, "Compound", columns, inputs)
        _set_share(metrics, intervals, f"knn_{name}", matched, "compound", inputs.seed)
        tables |= {f"map_{name}": found.table(), f"knn_{name}": matched.table()}
    unanswerable: list[dict[str, str]] = []
    for name, of, columns in _mechanism_profiles(treated, has_batches):
        matched = _match(of, "MOA", columns, inputs)
        _set_share(metrics, intervals, f"moa_{name}", matched, "mechanism", inputs.seed)
        tables[f"moa_{name}"] = matched.table()
        missing = sorted(set(of.columns["MOA"]) - {""} - set(matched.names))
        unanswerable += [{"restriction": name, "Metadata_MOA": one} for one in missing]
        if missing:
            warnings.append(f"restrictions: {name} excludes {', '.join(missing)}: nothing to match with")
    metrics["unseen_compound_auc"], one = leave_compound_out(wells, seed=inputs.seed)
    intervals["unseen_compound_auc"] = one
    for name, info in _METRICS.items():
        if info.direction == "up" and not np.isfinite(metrics[name]):
            intervals[name] = no_interval(NAN, Reason("undefined_statistic"))
    if unanswerable:
        tables["unanswerable"] = pd.DataFrame(unanswerable)
    return TaskResult(
        {f"restrictions.{name}": value for name, value in metrics.items()},
        tables,
        tuple(warnings),
        {f"restrictions.{name}": one for name, one in intervals.items()},
    )


def _over_compounds(found: _Queries, seed: int) -> Interval:
    by_compound = pd.Series(found.scores).groupby(found.compounds).mean()
    units = Units.of(by_compound.index.to_numpy(dtype=object), "compound")
    # Random rankings alone vary by this much; the wells of a compound share their pairs.
    least = pd.Series(found.deviation).groupby(found.compounds).mean().pow(2).sum() ** 0.5
    return mean_interval(
        by_compound.to_numpy(), units, seed=seed, least_error=float(least) / len(by_compound)
    )


def _mechanism_profiles(
    treated: ProfileTable, has_batches: bool
) -> Iterator[tuple[str, ProfileTable, tuple[str, ...]]]:
    """Each restriction on mechanisms that the data allow: its name, treatments' profiles and columns."""
    if not treated.knows("MOA"):
        return
    doses = ("Concentration_uM",) if (treated.columns["Concentration_uM"] != "").all() else ()
    for name, (_, columns) in _MOA_STEPS.items():
        if name != "nscb" or has_batches:
            yield name, treated.consensus("CellLine", *doses, "Compound", *columns[1:]), columns


def _retrieve(treated: ProfileTable, columns: tuple[str, ...], inputs: EvaluationInput) -> _Queries:
    parts = []
    for line in treated.by_line():
        apart = _codes(line, columns)
        scores, chance, deviation = restricted_average_precision(
            line.values, line.codes("Compound"), apart, metric=inputs.options.metric
        )
        asked = np.flatnonzero(np.isfinite(scores))
        names = line.columns["Compound"][asked]
        parts.append(_Queries(scores[asked], chance[asked], names, names, deviation[asked]))
    return _Queries.join(parts)


def _match(of: ProfileTable, label: str, columns: tuple[str, ...], inputs: EvaluationInput) -> _Queries:
    parts = []
    for line in of.by_line():
        found = neighbour_accuracy(
            line.values, line.codes(label), apart=_codes(line, columns), metric=inputs.options.metric
        )
        names, compounds = line.columns[label][found.asked], line.columns["Compound"][found.asked]
        chance = np.full(found.queries, found.chance)
        parts.append(_Queries(found.right.astype(np.float64), chance, names, compounds))
    return _Queries.join(parts)


def _codes(of: ProfileTable, columns: tuple[str, ...]) -> list[NDArray[np.int64]]:
    """Numbers of each column; a well is one of its plate."""
    return [of.codes("Plate", "Well") if name == "Well" else of.codes(name) for name in columns]


def _set_share(
    metrics: dict[str, float],
    intervals: dict[str, Interval],
    name: str,
    found: _Queries,
    unit: str,
    seed: int,
) -> None:
    metrics |= {
        name: _mean(found.scores),
        f"{name}_macro": found.macro(),
        f"{name}_without_top": _mean(found.without_top().scores),
        f"{name}_chance": _mean(found.chance),
    }
    if len(found.scores):
        intervals[name] = share_interval(found.scores > 0, Units.of(found.names, unit), seed=seed)


def _mean(values: Float64Array) -> float:
    return float(values.mean()) if len(values) else NAN
