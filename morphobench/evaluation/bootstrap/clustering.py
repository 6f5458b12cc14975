"""Intervals of clustering scores: assignments are fixed, plates or wells are resampled; arrays only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench.evaluation.bootstrap.interval import Interval, no_interval
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.evaluation.bootstrap.resampling import (
    Units,
    divide_defined,
    median_defined,
    plates_or_wells,
)
from morphobench.types import Float32Array, Float64Array, Int64Array

_LARGEST_SILHOUETTE = 10_000
_INFLATED = ("nmi", "homogeneity")
"""Scores that grow when an image is drawn twice, because it then agrees with itself."""


@dataclass(frozen=True)
class LineClusters:
    """Best clustering of one cell line.

    Attributes:
        line: The cell line.
        rows: (N,) rows of its drug images in the embeddings.
        points: (N, 2) UMAP points.
        labels: (N,) cluster of each image; -1: noise.
    """

    line: str
    rows: Int64Array
    points: Float32Array
    labels: Int64Array


def cluster_intervals(
    estimates: Mapping[str, float],
    lines: Sequence[LineClusters],
    names: Mapping[str, NDArray[np.object_]],
    *,
    plates: NDArray[Any] | None,
    wells: NDArray[Any] | None,
    noise_is_a_cluster: bool,
    seed: int,
) -> dict[str, Interval]:
    """Intervals of noise, silhouette and adjusted Rand indices, each the median over cell lines.

    Scores that resampling fixed clusters cannot judge have the reason instead.

    Args:
        estimates: Metrics by name.
        lines: Best clustering of each cell line.
        names: By "compound", "moa", "plate": the name of every row of the data.
        plates: Plate of every row of the data; None: unknown.
        wells: Well of every row of the data; None: unknown.
        noise_is_a_cluster: Treat noise as one more cluster, as reference-1 does.
        seed: Seed of the resamples.

    Returns:
        95 % interval, or the reason why there is none, by metric.
    """
    rows = np.concatenate([each.rows for each in lines])
    of_line = np.repeat([each.line for each in lines], [len(each.rows) for each in lines])
    units = plates_or_wells(
        None if plates is None else plates[rows], None if wells is None else wells[rows], strata=of_line
    )
    drawn: dict[str, list[Float64Array]] = {}
    if isinstance(units, Units):
        weights = units.weights(seed=seed)
        starts = np.cumsum([0, *(len(each.rows) for each in lines)])
        for each, start in zip(lines, starts[:-1], strict=True):
            code = units.code[start : start + len(each.rows)]
            own, code = np.unique(code, return_inverse=True)
            here = {name: values[each.rows] for name, values in names.items()}
            found = _line_draws(each, here, weights[:, own], code, noise_is_a_cluster=noise_is_a_cluster)
            for name, values in found.items():
                drawn.setdefault(name, []).append(values)
    intervals = {}
    for name, estimate in estimates.items():
        if name in ("noise", "silhouette") or name.startswith("ari_"):
            if isinstance(units, Reason):
                intervals[name] = no_interval(estimate, units)
            elif name in drawn:
                intervals[name] = units.from_draws(estimate, median_defined(np.stack(drawn[name], axis=-1)))
        elif name not in ("min_cluster_size", "cell_lines"):
            inflated = name.partition("_")[0] in _INFLATED
            why = Reason("duplicates_inflate" if inflated else "clusters_fixed")
            intervals[name] = no_interval(estimate, why)
    return intervals


def _line_draws(
    each: LineClusters,
    names: Mapping[str, NDArray[np.object_]],
    weights: Float64Array,
    code: Int64Array,
    *,
    noise_is_a_cluster: bool,
) -> dict[str, Float64Array]:
    """A cell line's noise, silhouette and adjusted Rand indices in each resample, (R,)."""
    units = weights.shape[1]
    noise = each.labels < 0
    all_counts, noise_counts = (
        np.bincount(code, weights=kind, minlength=units) for kind in (np.ones(len(code)), noise)
    )
    found = {"noise": 100 * divide_defined(weights @ noise_counts, weights @ all_counts)}
    kept = np.ones(len(code), dtype=bool) if noise_is_a_cluster else ~noise
    labels, code = each.labels[kept], code[kept]
    widths = silhouettes(each.points[kept], labels)
    if widths is not None:
        part = np.bincount(code, weights=widths, minlength=units)
        whole = np.bincount(code, minlength=units).astype(np.float64)
        found["silhouette"] = divide_defined(weights @ part, weights @ whole)
    for name, values in names.items():
        found[f"ari_{name}"] = adjusted_rand_draws(labels, values[kept], code, weights)
    return found


def silhouettes(points: Float32Array, labels: Int64Array) -> Float64Array | None:
    """Silhouette width of each point, by scikit-learn.

    Args:
        points: (N, D).
        labels: (N,) clusters.

    Returns:
        (N,); None where undefined, or where there are more than 10,000 points.
    """
    from sklearn.metrics import silhouette_samples

    if len(labels) > _LARGEST_SILHOUETTE or not 2 <= len(np.unique(labels)) <= len(labels) - 1:
        return None
    return np.asarray(silhouette_samples(points, labels), dtype=np.float64)


def adjusted_rand_draws(
    labels: Int64Array, names: NDArray[np.object_], code: Int64Array, weights: Float64Array
) -> Float64Array:
    """Adjusted Rand index of clusters and names in each resample.

    A pair of images counts as often as its units were drawn together. An image drawn twice is no pair with
    itself, which would agree by construction (Hubert and Arabie 1985, Journal of Classification 2:193).

    Args:
        labels: (N,) clusters.
        names: (N,) names, e.g. compounds.
        code: (N,) unit of each image: columns of ``weights``.
        weights: (R, G) how often each unit was drawn.

    Returns:
        (R,); NaN where clusters or names have one value only.
    """
    clusters, of_cluster = np.unique(labels, return_inverse=True)
    kinds, of_kind = np.unique(names.astype(str), return_inverse=True)
    table = np.zeros((weights.shape[1], len(clusters), len(kinds)))
    np.add.at(table, (code, of_cluster, of_kind), 1)
    shape = (len(weights), len(clusters), len(kinds))
    flat = table.reshape(len(table), -1)
    counts, selves = (weights @ flat).reshape(shape), (weights**2 @ flat).reshape(shape)

    def pairs(axes: tuple[int, ...]) -> Float64Array:
        of = counts.sum(axis=axes) ** 2 - selves.sum(axis=axes)
        return np.asarray(of.reshape(len(weights), -1).sum(axis=1) / 2)

    joint, by_cluster, by_kind, everything = pairs(()), pairs((2,)), pairs((1,)), pairs((1, 2))
    expected = divide_defined(by_cluster * by_kind, everything)
    most = (by_cluster + by_kind) / 2
    found: Float64Array = np.divide(
        joint - expected, most - expected, out=np.full(len(weights), np.nan), where=most - expected > 1e-9
    )
    return found
