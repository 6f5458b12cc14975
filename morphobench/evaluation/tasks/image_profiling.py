"""Profiling task: retrieval, matching of mechanisms, replicates and a linear probe on well profiles."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.image_profiling import (
    hits_interval,
    probe_interval,
    retrieval_intervals,
)
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.profiles.table import ProfileTable, normalize_profiles, well_profiles
from morphobench.evaluation.registry import MetricInfo, TaskResult, register, undefined
from morphobench.evaluation.retrieval.average_precision import (
    GroupRetrieval,
    average_precision,
    mean_average_precision,
)
from morphobench.evaluation.retrieval.linear_probe import linear_probe
from morphobench.evaluation.retrieval.matching import neighbour_accuracy
from morphobench.evaluation.retrieval.replicability import replicability
from morphobench.types import (
    NORMALIZATIONS,
    Aggregate,
    BoolArray,
    Int64Array,
    Normalization,
    ProfileLevel,
    ProfileMetric,
)

FALSE_DISCOVERIES = 0.05
NAN = float("nan")


@dataclass(frozen=True)
class ProfilingOptions:
    """Options of profiling, recorded in the table "settings".

    Attributes:
        aggregate: How a well's images become its profile, feature by feature.
        normalize: How profiles are normalized to the negative controls of the same cell line and plate where
            each has six, else of the same cell line, else to all.
        level: What a profile is of: a well, or all wells of a compound at a concentration.
        metric: Distance of retrieval and matching.
        neighbours: Votes of the kNN accuracy.
        null_size: Random rankings per p-value.
        null_sets: Random sets per group size for replicability.

    Raises:
        InputError: An unknown normalization.
    """

    aggregate: Aggregate = "median"
    normalize: Normalization = "mad_robustize"
    level: ProfileLevel = "well"
    metric: ProfileMetric = "cosine"
    neighbours: int = 5
    null_size: int = 1000
    null_sets: int = 200

    def __post_init__(self) -> None:
        if self.normalize not in NORMALIZATIONS:
            raise InputError(f"normalize must be one of {', '.join(NORMALIZATIONS)}, got {self.normalize!r}")


def _share(of: str, chance: float | None = None) -> MetricInfo:
    return MetricInfo("up", chance, "", of)


def _number(unit: str, of: str) -> MetricInfo:
    return MetricInfo("none", None, unit, of)


_METRICS = {
    "replicate_map": _share("mean average precision of wells of one treatment against controls"),
    "replicate_map_chance": _number("", "replicate_map of random rankings"),
    "replicate_retrieved": _share("share of treatments with replicate_map at q < 0.05", 0.0),
    "moa_map": _share("mean average precision of compounds of one mechanism against other compounds"),
    "moa_map_chance": _number("", "moa_map of random rankings"),
    "moa_retrieved": _share("share of mechanisms with moa_map at q < 0.05", 0.0),
    "replicating": _share("share of treatments whose wells correlate above 95 % of random sets", 0.05),
    "matching": _share("share of mechanisms whose compounds correlate above 95 % of random sets", 0.05),
    "knn_accuracy": _share("share of wells whose five nearest wells vote for their compound"),
    "knn_chance": _number("", "knn_accuracy of a random neighbour"),
    "nsc_accuracy": _share("share of treatments whose nearest of another compound has their mechanism"),
    "nsc_chance": _number("", "nsc_accuracy of a random neighbour"),
    "nscb_accuracy": _share(
        "as nsc_accuracy, of another compound and another batch (plate where no batch is known)"
    ),
    "nscb_chance": _number("", "nscb_accuracy of a random neighbour"),
    "probe_accuracy": _share("balanced accuracy of a logistic regression for the mechanism (or compound)"),
    "probe_chance": _number("", "probe_accuracy of a constant answer"),
    "profiles": _number("profiles", "profiles of the split reported, controls included"),
}


@dataclass
class _Results:
    """Metrics, tables and intervals, collected as the task proceeds."""

    metrics: dict[str, float]
    tables: dict[str, pd.DataFrame]
    intervals: dict[str, Interval]
    seed: int

    def retrieval(self, name: str, found: GroupRetrieval, names: NDArray[np.object_], unit: str) -> None:
        """Mean average precision ``name``_map, its chance, ``name``_retrieved, and their intervals."""
        known = len(found.groups) > 0
        shares = (found.mean_average_precision, found.chance, found.q_values < FALSE_DISCOVERIES)
        keys = (f"{name}_map", f"{name}_map_chance", f"{name}_retrieved")
        for key, values in zip(keys, shares, strict=True):
            self.metrics[key] = float(np.mean(np.asarray(values, dtype=np.float64))) if known else NAN
        self.intervals[keys[0]], self.intervals[keys[2]] = retrieval_intervals(
            found, names, unit, threshold=FALSE_DISCOVERIES, seed=self.seed
        )

    def share(self, name: str, hits: BoolArray, names: NDArray[np.object_], unit: str) -> None:
        """Share of ``hits`` and its interval over ``names``, the compound or mechanism of each."""
        self.metrics[name] = float(np.mean(hits)) if len(hits) else NAN
        self.intervals[name] = hits_interval(hits, names, unit, seed=self.seed)


@register("profiling", metrics=_METRICS)
def profiling(inputs: EvaluationInput) -> TaskResult:
    """Run `profile_metrics` with the aggregation and normalization of the input.

    Args:
        inputs: Embeddings and metadata.

    Returns:
        Result of the task.
    """
    chosen = inputs.options
    options = ProfilingOptions(chosen.aggregate, chosen.normalize, chosen.level, chosen.metric)
    return profile_metrics(inputs, options=options)


def profile_metrics(inputs: EvaluationInput, *, options: ProfilingOptions | None = None) -> TaskResult:
    """Aggregate images to well profiles, normalize these to controls, and compute the metrics of the field.

    Wells of one compound and concentration are replicates; compounds sharing ``Metadata_MOA`` have one
    mechanism. Everything is compared within a cell line, on the split that is reported; the probe learns on
    the training wells. A metric that the data cannot define is NaN, with a warning.

    Args:
        inputs: Embeddings and metadata.
        options: Options; None: the defaults.

    Returns:
        Metrics, intervals, and the tables "settings" (the options, and the strata of normalization),
        "replicates" and "mechanisms" (mean average precision, p and q of each).

    Raises:
        InputError: No control type is known.
    """
    options = ProfilingOptions() if options is None else options
    if inputs.column("Compound") is None:
        return undefined("profiling", "profiling: the metadata has no Metadata_Compound")
    warnings: list[str] = []
    wells = well_profiles(inputs, warnings, how=options.aggregate)
    wells, normalized_by = normalize_profiles(wells, options.normalize, warnings)
    if options.level == "treatment":
        wells = _treatments(wells, options)
    shown = wells.select(wells.reported)
    treated = shown.select(~shown.controls)
    found = _Results(
        dict.fromkeys(_METRICS, NAN) | {"profiles": float(len(shown.values))},
        {"settings": pd.DataFrame([asdict(options) | {"normalized_by": normalized_by}])},
        {},
        inputs.seed,
    )
    if not len(treated.values):
        warnings.append("profiling: no treated profile in the split reported")
    else:
        _replicates(shown, options, found)
        _mechanisms(treated, options, found)
    if "Metadata_Split" in inputs.metadata:
        _probe(wells, found)
    missing = [name for name, value in found.metrics.items() if np.isnan(value)]
    if missing:
        warnings.append(f"profiling: too few replicates, mechanisms or batches for {', '.join(missing)}")
    return TaskResult(
        {f"profiling.{name}": value for name, value in found.metrics.items()},
        found.tables,
        tuple(warnings),
        {f"profiling.{name}": one for name, one in found.intervals.items()},
    )


def _treatments(wells: ProfileTable, options: ProfilingOptions) -> ProfileTable:
    """One profile per treatment of a split; controls stay wells."""
    doses = ("Concentration_uM",) if wells.knows("Concentration_uM") else ()
    treated = wells.select(~wells.controls)
    made = treated.consensus("Split", "CellLine", *doses, "Compound", how=options.aggregate)
    controls = wells.select(wells.controls)
    columns = {name: np.concatenate([made.columns[name], controls.columns[name]]) for name in made.columns}
    return ProfileTable(
        np.concatenate([made.values, controls.values]),
        columns,
        np.concatenate([made.controls, controls.controls]),
        np.concatenate([made.reported, controls.reported]),
    )


def _replicates(shown: ProfileTable, options: ProfilingOptions, into: _Results) -> None:
    groups = np.where(shown.controls, -1, shown.codes("CellLine", "Concentration_uM", "Compound"))
    lines = shown.codes("CellLine")
    retrieval = average_precision(
        shown.values, groups, controls=shown.controls, strata=lines, metric=options.metric
    )
    found = mean_average_precision(retrieval, groups, null_size=options.null_size, seed=into.seed)
    table = _table(found, shown, groups, ("CellLine", "Compound", "Concentration_uM"))
    into.tables["replicates"] = table
    into.retrieval("replicate", found, table["Metadata_Compound"].to_numpy(dtype=object), "compound")
    treated = shown.select(~shown.controls)
    hits, compounds = _replicability_hits(treated, ("Concentration_uM", "Compound"), options, into.seed)
    into.share("replicating", hits, compounds, "compound")
    _matching(
        treated, "knn", "Compound", "compound", into, k=options.neighbours, apart=(), metric=options.metric
    )


def _mechanisms(treated: ProfileTable, options: ProfilingOptions, into: _Results) -> None:
    if (treated.columns["MOA"] == "").all():
        return
    compounds = treated.consensus("CellLine", "Compound")
    groups = compounds.codes("CellLine", "MOA")
    retrieval = average_precision(
        compounds.values, groups, strata=compounds.codes("CellLine"), metric=options.metric
    )
    found = mean_average_precision(retrieval, groups, null_size=options.null_size, seed=into.seed)
    table = into.tables["mechanisms"] = _table(found, compounds, groups, ("CellLine", "MOA"))
    into.retrieval("moa", found, table["Metadata_MOA"].to_numpy(dtype=object), "mechanism")
    into.share("matching", *_replicability_hits(compounds, ("MOA",), options, into.seed), "mechanism")
    doses = ("Concentration_uM",) if (treated.columns["Concentration_uM"] != "").all() else ()
    treatments = treated.consensus("CellLine", *doses, "Compound")
    _matching(treatments, "nsc", "MOA", "mechanism", into, k=1, apart=("Compound",), metric=options.metric)
    batch = "Batch" if treated.knows("Batch") else "Plate"
    batches = treated.consensus("CellLine", *doses, "Compound", batch)
    if len(np.unique(batches.columns[batch])) > 1:
        _matching(
            batches, "nscb", "MOA", "mechanism", into, k=1, apart=("Compound", batch), metric=options.metric
        )


def _probe(wells: ProfileTable, into: _Results) -> None:
    treated = wells.select(~wells.controls)
    label = "Compound" if (treated.columns["MOA"] == "").all() else "MOA"
    if not len(treated.values):
        return
    split = treated.columns["Split"]
    probe = linear_probe(
        treated.values,
        treated.codes(label),
        train=split == "train",
        validation=split == "validation",
        test=split == "test",
    )
    into.metrics["probe_accuracy"], into.metrics["probe_chance"] = probe.balanced_accuracy, probe.chance
    plates, found = (
        None if (treated.columns[name] == "").all() else treated.columns[name] for name in ("Plate", "Well")
    )
    into.intervals["probe_accuracy"] = probe_interval(probe, plates=plates, wells=found, seed=into.seed)


def _table(
    found: GroupRetrieval, of: ProfileTable, groups: Int64Array, names: tuple[str, ...]
) -> pd.DataFrame:
    first = np.array([np.flatnonzero(groups == group)[0] for group in found.groups], dtype=np.int64)
    described = {f"Metadata_{name}": of.columns[name][first] for name in names}
    return pd.DataFrame(
        described
        | {
            "mean_average_precision": found.mean_average_precision,
            "p_value": found.p_values,
            "q_value": found.q_values,
            "queries": found.queries,
        }
    )


def _replicability_hits(
    of: ProfileTable, names: tuple[str, ...], options: ProfilingOptions, seed: int
) -> tuple[BoolArray, NDArray[np.object_]]:
    """Whether each group, by cell line, correlates above its null, and its compound or mechanism."""
    hits, found = [np.zeros(0, dtype=bool)], [np.zeros(0, dtype=object)]
    for line in of.by_line():
        codes = line.codes(*names)
        part = replicability(line.values, codes, null_size=options.null_sets, seed=seed)
        first = [np.flatnonzero(codes == group)[0] for group in part.groups]
        hits.append(part.median_correlation > part.threshold)
        found.append(line.columns[names[-1]][np.asarray(first, dtype=np.int64)])
    return np.concatenate(hits), np.concatenate(found)


def _matching(
    of: ProfileTable,
    name: str,
    label: str,
    unit: str,
    into: _Results,
    *,
    k: int,
    apart: tuple[str, ...],
    metric: str,
) -> None:
    """Set ``name``_accuracy, its interval and chance, and the table ``name``; neighbours are of one line."""
    hits, names, chance, tables = [np.zeros(0, dtype=bool)], [np.zeros(0, dtype=object)], 0.0, []
    for line in of.by_line():
        codes = line.codes(label)
        others = [line.codes(other) for other in apart]
        part = neighbour_accuracy(line.values, codes, k=k, apart=others, metric=metric)
        if part.queries:
            hits.append(part.right)
            names.append(line.columns[label][part.asked])
            chance += part.chance * part.queries
            known = dict(zip(codes.tolist(), line.columns[label], strict=True))
            described = ("CellLine", "Compound", "Concentration_uM", label, *apart)
            columns = {f"Metadata_{one}": line.columns[one][part.asked] for one in described}
            answers = [known.get(answer, "") for answer in part.predicted.tolist()]
            tables.append(pd.DataFrame({**columns, "predicted": answers}))
    right = np.concatenate(hits)
    into.share(f"{name}_accuracy", right, np.concatenate(names), unit)
    into.metrics[f"{name}_chance"] = chance / len(right) if len(right) else NAN
    if tables:
        into.tables[name] = pd.concat(tables, ignore_index=True)
