"""Clustering task: clusters of the drug images of each cell line, and their composition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.evaluation.bootstrap.clustering import LineClusters, cluster_intervals
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.evaluation.clustering.enrichment import enrichment, members
from morphobench.evaluation.clustering.knn_graph import nearest_neighbours
from morphobench.evaluation.clustering.scores import (
    LARGEST_DISTANCE_MATRIX,
    agreement,
    best_row,
    consistency,
    homogeneity,
    internal_scores,
)
from morphobench.evaluation.clustering.umap import hdbscan_labels, umap_layouts, umap_learn_points
from morphobench.evaluation.inputs import EvaluationInput, median_and_deviation
from morphobench.evaluation.neighbours import TARGET_RECALL
from morphobench.evaluation.registry import MetricInfo, TaskResult, register, undefined
from morphobench.types import Float32Array, Int64Array

STUDY_SMALLEST_KEPT = 21
"""reference-1 drops best rows whose min_cluster_size is at most this."""

ANNOTATIONS = {"compound": "Compound", "moa": "MOA", "plate": "Plate"}
CONTENTS = {**ANNOTATIONS, "cell_line": "CellLine"}

_METRICS = {
    "clusters": MetricInfo("none", None, "clusters", "clusters of the best row of the sweep"),
    "noise": MetricInfo("down", None, "%", "images that belong to no cluster"),
    "min_cluster_size": MetricInfo("none", None, "images", "smallest cluster allowed, of the best row"),
    "silhouette": MetricInfo("up", None, "", "silhouette of the clusters on the 2-D points"),
    "calinski_harabasz": MetricInfo("up", None, "", "Calinski-Harabasz score on the 2-D points"),
    "davies_bouldin": MetricInfo("down", None, "", "Davies-Bouldin score on the 2-D points"),
    "silhouette_embedding": MetricInfo("up", None, "", "silhouette of the clusters in the embedding space"),
    "calinski_harabasz_embedding": MetricInfo(
        "up", None, "", "Calinski-Harabasz score in the embedding space"
    ),
    "davies_bouldin_embedding": MetricInfo("down", None, "", "Davies-Bouldin score in the embedding space"),
    "consistency": MetricInfo(
        "up", None, "%", "100 / number of compounds in a cluster, median over clusters"
    ),
    "homogeneity": MetricInfo("up", None, "", "1 - H(compound given cluster) / H(compound)"),
    "ari_compound": MetricInfo("up", 0.0, "", "adjusted Rand index of clusters and compounds"),
    "nmi_compound": MetricInfo("up", None, "", "normalized mutual information of clusters and compounds"),
    "ari_moa": MetricInfo("up", 0.0, "", "adjusted Rand index of clusters and mechanisms of action"),
    "nmi_moa": MetricInfo(
        "up", None, "", "normalized mutual information of clusters and mechanisms of action"
    ),
    "ari_plate": MetricInfo("down", 0.0, "", "adjusted Rand index of clusters and plates: batch effects"),
    "nmi_plate": MetricInfo(
        "down", None, "", "normalized mutual information of clusters and plates: batch effects"
    ),
    "cell_lines": MetricInfo("none", None, "cell lines", "cell lines that have a best row"),
}


@register("clustering", metrics=_METRICS)
def clustering(inputs: EvaluationInput) -> TaskResult:
    """Cluster the drug images of each cell line by UMAP and HDBSCAN, for each size of the sweep.

    Each metric is that of a cell line's best row (see `best_row`), and the median over cell lines. Cell lines
    with fewer drug images than twice the smallest ``min_cluster_size`` cannot hold two clusters and are left
    out; where that leaves none, all drug images are clustered together. Both give a warning.

    reference-1 (its fact 7): all drug images; noise counts as a cluster; scores on the 2-D points, -1 where
    undefined; noise in whole percent; no score in the embedding space; a best row of min_cluster_size <= 21
    is dropped. corrected-1: drug images of the test split; noise left out of every score, NaN where
    undefined.

    Args:
        inputs: Embeddings and metadata.

    Returns:
        Metrics, intervals, and the tables "sweep", "assignments", "examples" and "enrichment".

    Raises:
        InputError: No control type is known, or corrected-1 without a split.
    """
    drugs = inputs.reported() & (inputs.labels() == 1)
    sweep_rows: list[pd.DataFrame] = []
    found: dict[str, list[pd.DataFrame]] = {"assignments": [], "enrichment": [], "examples": []}
    chosen: list[LineClusters] = []
    warnings: list[str] = []
    for line, rows in _groups(inputs, np.flatnonzero(drugs), warnings):
        table, kept = _sweep(inputs, rows, warnings)
        best = best_row(table)
        sizes = table["min_cluster_size"].to_numpy()
        if best is not None and inputs.protocol == "reference-1":
            # The study drops the row only after choosing it: the cell line then has none.
            best = best if sizes[best] > STUDY_SMALLEST_KEPT else None
        table.insert(0, "cell_line", line)
        table["best"] = table.index == best
        sweep_rows.append(table)
        if best is not None:
            points, labels = kept[best]
            chosen.append(LineClusters(line, rows, points, labels))
            for name, part in _composition(inputs, rows, points, labels).items():
                part.insert(0, "group", line)
                found[name].append(part)
    if not found["assignments"]:
        reason = "clustering: no cell line has a best row: too few drug images, or no two clusters among them"
        result = undefined("clustering", *warnings, reason)
        tables = {"sweep": pd.concat(sweep_rows, ignore_index=True)} if sweep_rows else {}
        return TaskResult(result.metrics, tables, result.warnings)
    sweep = pd.concat(sweep_rows, ignore_index=True)
    best_rows = sweep[sweep["best"]]
    metrics = {
        f"clustering.{name}": median_and_deviation(best_rows[name])[0]
        for name in _METRICS
        if name in best_rows
    }
    metrics["clustering.cell_lines"] = float(len(best_rows))
    for name in _METRICS:
        metrics.setdefault(f"clustering.{name}", float("nan"))
    tables = {name: pd.concat(parts, ignore_index=True) for name, parts in found.items() if parts}
    return TaskResult(
        metrics, {"sweep": sweep, **tables}, tuple(warnings), _intervals(inputs, metrics, chosen)
    )


def _intervals(
    inputs: EvaluationInput, metrics: dict[str, float], chosen: list[LineClusters]
) -> dict[str, Interval]:
    known = {key: values for key, name in ANNOTATIONS.items() if (values := inputs.column(name)) is not None}
    estimates = {name.partition(".")[2]: value for name, value in metrics.items() if np.isfinite(value)}
    found = cluster_intervals(
        estimates,
        chosen,
        known,
        plates=inputs.column("Plate"),
        wells=inputs.column("Well"),
        noise_is_a_cluster=inputs.protocol == "reference-1",
        seed=inputs.seed,
    )
    return {f"clustering.{name}": one for name, one in found.items()}


def _groups(
    inputs: EvaluationInput, drugs: Int64Array, warnings: list[str]
) -> Iterator[tuple[str, Int64Array]]:
    """Cell lines with enough drug images, and their rows; all drug images together where no line has."""
    sizes = inputs.options.sweep.min_cluster_sizes
    if inputs.protocol == "reference-1":  # smaller ones are dropped in the end
        sizes = tuple(size for size in sizes if size > STUDY_SMALLEST_KEPT) or sizes
    least = 2 * min(sizes)
    lines = inputs.cell_lines()[drugs]
    by_line = {line: drugs[lines == line] for line in sorted(set(lines))}
    enough = {line: rows for line, rows in by_line.items() if len(rows) >= least}
    if enough and len(enough) < len(by_line):
        left_out = len(by_line) - len(enough)
        warnings.append(
            f"clustering: {left_out} of {len(by_line)} cell lines left out for fewer than {least} drug images"
        )
    if not enough and len(by_line) > 1 and len(drugs) >= least:
        warnings.append(
            f"clustering: no cell line has {least} drug images, so all {len(drugs)} are clustered together"
        )
        enough = {"all": drugs}
    yield from enough.items()


def _sweep(
    inputs: EvaluationInput, rows: Int64Array, warnings: list[str]
) -> tuple[pd.DataFrame, dict[int, tuple[Float32Array, Int64Array]]]:
    """One row per min_cluster_size, and the points and labels by row."""
    reference = inputs.protocol == "reference-1"
    embeddings = inputs.embeddings[rows]
    sizes = [size for size in inputs.options.sweep.min_cluster_sizes if size < len(rows)]
    names = {key: inputs.column(column) for key, column in ANNOTATIONS.items()}
    known = {key: values[rows] for key, values in names.items() if values is not None}
    distances = None
    if not reference and len(rows) <= LARGEST_DISTANCE_MATRIX:
        from sklearn.metrics import pairwise_distances

        distances = np.asarray(pairwise_distances(embeddings), dtype=np.float32)
    records: list[dict[str, float]] = []
    kept: dict[int, tuple[Float32Array, Int64Array]] = {}
    for size, points in zip(sizes, _layouts(inputs, embeddings, sizes, warnings), strict=True):
        labels = hdbscan_labels(points, min_cluster_size=size)
        kept[len(records)] = points, labels
        record: dict[str, float] = {"min_cluster_size": size, "images": len(rows)}
        record |= (
            _reference_scores(points, labels)
            if reference
            else _corrected_scores(points, embeddings, labels, distances, seed=inputs.seed)
        )
        record |= _agreement_scores(labels, known, noise_is_a_cluster=reference)
        records.append(record)
    columns = ["min_cluster_size", "silhouette", "davies_bouldin", "noise", "clusters"]
    return pd.DataFrame.from_records(records) if records else pd.DataFrame(columns=columns), kept


def _layouts(
    inputs: EvaluationInput, embeddings: Float32Array, sizes: list[int], warnings: list[str]
) -> list[Float32Array]:
    """2-D points for each of ``sizes``: by umap-learn under reference-1, else from one graph for all."""
    if inputs.protocol == "reference-1":
        return [umap_learn_points(embeddings, neighbours=size, seed=inputs.seed) for size in sizes]
    graph = nearest_neighbours(embeddings, neighbours=max(sizes, default=1))
    if graph.index != "exact":
        warnings.append(
            f"clustering: the neighbours of {len(embeddings)} images are approximate, with a recall of "
            f"{graph.recall:.3f} (at least {TARGET_RECALL} asked)"
        )
    return umap_layouts(embeddings, graph, neighbours=sizes, seed=inputs.seed, threads=inputs.threads)


def _reference_scores(points: Float32Array, labels: Int64Array) -> dict[str, float]:
    return {
        "clusters": int(labels.max()) + 1,
        "noise": int(int((labels == -1).sum()) / len(labels) * 100),
        **internal_scores(points, labels, undefined=-1.0),
    }


def _corrected_scores(
    points: Float32Array,
    embeddings: Float32Array,
    labels: Int64Array,
    distances: Float32Array | None,
    *,
    seed: int,
) -> dict[str, float]:
    kept = labels >= 0
    scores: dict[str, float] = {
        "clusters": int(labels.max()) + 1,
        "noise": 100 * float((~kept).mean()),
        **internal_scores(points[kept], labels[kept], seed=seed),
    }
    inside = None if distances is None else distances[np.ix_(kept, kept)]
    space = internal_scores(embeddings[kept], labels[kept], distances=inside, seed=seed)
    return scores | {f"{name}_embedding": value for name, value in space.items()}


def _agreement_scores(
    labels: Int64Array, known: dict[str, NDArray[np.object_]], *, noise_is_a_cluster: bool
) -> dict[str, float]:
    """Agreement of clusters with compounds, mechanisms and plates."""
    scores: dict[str, float] = {}
    if "compound" in known:
        scores["consistency"] = consistency(labels, known["compound"])
        scores["homogeneity"] = homogeneity(labels, known["compound"])
    kept = np.ones(len(labels), dtype=bool) if noise_is_a_cluster else labels >= 0
    for key, names in known.items():
        ari, nmi = agreement(labels[kept], names[kept])
        scores |= {f"ari_{key}": ari, f"nmi_{key}": nmi}
    return scores


def _composition(
    inputs: EvaluationInput, rows: Int64Array, points: Float32Array, labels: Int64Array
) -> dict[str, pd.DataFrame]:
    """Tables of the best row: point and cluster of every image, enrichment of clusters, typical images."""
    names = {key: inputs.column(column) for key, column in CONTENTS.items()}
    known = {key: values[rows] for key, values in names.items() if values is not None}
    assignments = pd.DataFrame(
        {"row": rows, "x": points[:, 0], "y": points[:, 1], "cluster": labels, **known}
    )
    enriched = [enrichment(labels, values, kind=key) for key, values in known.items()]
    examples = members(points, labels)
    examples["row"] = rows[examples.pop("position")]
    tables = {"assignments": assignments, "examples": examples}
    return tables | ({"enrichment": pd.concat(enriched, ignore_index=True)} if enriched else {})
