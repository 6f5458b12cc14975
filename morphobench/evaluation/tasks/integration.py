"""Integration task: how well batches are mixed and compounds kept together, by scib-metrics.

It needs the extra ``integration`` and is run where it is asked for (``--task integration``). Batches are
those of ``Metadata_Batch`` where there are several, else plates. The profiles are those of the profiling
task under ``--normalize``: the same command with another correction says what that correction does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from morphobench._util.extras import load_extra
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.profiles.table import normalize_profiles, well_profiles
from morphobench.evaluation.registry import MetricInfo, TaskResult, register, undefined
from morphobench.types import Float32Array, Float64Array, Int64Array

_NEIGHBOURS = 30  # of a profile; its third is the perplexity of LISI, as its authors set it
_LEAST_PROFILES = 12
_COMPONENTS = 50

_METRICS = {
    "ilisi": MetricInfo(
        "up", None, "", "inverse Simpson index of the batches among neighbours, 0 apart to 1 mixed"
    ),
    "graph_connectivity": MetricInfo(
        "up", None, "", "share of a compound's profiles that its neighbour graph connects"
    ),
    "pcr": MetricInfo("down", None, "", "share of the variance of principal components that batches explain"),
    "pcr_uncorrected": MetricInfo("none", None, "", "pcr of the same profiles without --normalize"),
    "ilisi_uncorrected": MetricInfo("none", None, "", "ilisi of the same profiles without --normalize"),
}


@dataclass(frozen=True)
class Mixing:
    """Measures of batch integration.

    Attributes:
        ilisi: Median inverse Simpson index of the batches, scaled to 0 to 1.
        graph_connectivity: Share of each label's largest connected part, averaged over labels.
        pcr: Share of variance of the principal components that batches explain.
    """

    ilisi: float
    graph_connectivity: float
    pcr: float


@register("integration", metrics=_METRICS, on_request=True)
def integration(inputs: EvaluationInput) -> TaskResult:
    """Measure batch integration of the well profiles that are reported.

    Args:
        inputs: Embeddings and metadata with batches or plates.

    Returns:
        Metrics; NaN, with the reason, for fewer than two batches or twelve profiles.

    Raises:
        InputError: The package scib-metrics is not installed, or no control type is known.
    """
    warnings: list[str] = []
    plain = well_profiles(inputs, warnings, how=inputs.options.aggregate)
    corrected, _ = normalize_profiles(plain, inputs.options.normalize, warnings)
    name = "Batch" if len(set(plain.columns["Batch"]) - {""}) > 1 else "Plate"
    batches = plain.codes(name)
    used = plain.reported & (batches >= 0)
    if len(np.unique(batches[used])) < 2 or used.sum() < _LEAST_PROFILES:
        return undefined(
            "integration",
            f"integration: at least two batches or plates and {_LEAST_PROFILES} profiles are needed, got "
            f"{len(np.unique(batches[used]))} and {used.sum()}",
        )
    labels = plain.codes("Compound")[used]
    after = mixing(corrected.values[used], batches[used], labels)
    before = mixing(plain.values[used], batches[used], labels)
    metrics = {
        "ilisi": after.ilisi,
        "graph_connectivity": after.graph_connectivity,
        "pcr": after.pcr,
        "pcr_uncorrected": before.pcr,
        "ilisi_uncorrected": before.ilisi,
    }
    return TaskResult(
        {f"integration.{key}": value for key, value in metrics.items()}, warnings=tuple(warnings)
    )


def mixing(profiles: Float32Array, batches: Int64Array, labels: Int64Array) -> Mixing:
    """Measure how well batches are mixed, by scib-metrics (Luecken et al. 2022, Nature Methods 19).

    iLISI (Korsunsky et al. 2019) and graph connectivity are of the 30 nearest neighbours by Euclidean
    distance (fewer of fewer profiles); principal-component regression (Buettner et al. 2019) is of 50
    components.

    Args:
        profiles: (N, D) finite.
        batches: (N,) batch numbers, of two batches at least.
        labels: (N,) label numbers; profiles of label -1 count for batches only.

    Returns:
        The measures; the connectivity is NaN where no label is known.

    Raises:
        InputError: The package scib-metrics is not installed.
    """
    scib = load_extra("scib_metrics", extra="integration")
    neighbours = load_extra("scib_metrics.nearest_neighbors", extra="integration")
    utilities = load_extra("scib_metrics.utils", extra="integration")
    values = profiles.astype(np.float64)
    graph = _neighbours(values, neighbours)
    known = np.flatnonzero(labels >= 0)
    connected = float("nan")
    if len(known) >= _LEAST_PROFILES:
        connected = float(scib.graph_connectivity(_neighbours(values[known], neighbours), labels[known]))
    components = min(_COMPONENTS, len(values) - 1, values.shape[1])
    explained = utilities.principal_component_regression(
        values, batches, categorical=True, n_components=components
    )
    return Mixing(float(scib.ilisi_knn(graph, batches)), connected, float(explained))


def _neighbours(values: Float64Array, module: Any) -> Any:
    from sklearn.neighbors import NearestNeighbors

    count = min(_NEIGHBOURS, len(values) - 1)
    gaps, rows = NearestNeighbors(n_neighbors=count).fit(values).kneighbors(values)
    # each profile is its own nearest neighbour, as scib-metrics expects
    return module.NeighborsResults(indices=rows, distances=gaps)
