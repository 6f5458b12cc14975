"""Intervals of the classification's scores, pooled and by cell line, from plates or wells; arrays only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench.evaluation.bootstrap.auc import Pairs, roc_auc_interval_by_unit
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.evaluation.bootstrap.resampling import Units, divided, median_defined, none, plates_or_wells
from morphobench.types import Float64Array, Int64Array

BY_LINE = "_by_line"


def score_intervals(
    labels: Int64Array,
    probabilities: Float64Array,
    *,
    lines: NDArray[np.object_],
    plates: NDArray[Any] | None,
    wells: NDArray[Any] | None,
    hard_auc: bool,
    seed: int,
) -> dict[str, Interval]:
    """95 % intervals of the study's scores, balanced accuracy, and the scores' medians over cell lines.

    ``labels`` of 0 / 1, ``probabilities`` of 1, all (N,). Wells, which hold one class and line each, are
    drawn within class (pooled) or within class and line (by line).
    """
    scores = (probabilities > 0.5).astype(np.float64) if hard_auc else probabilities
    auc = roc_auc_interval_by_unit(scores, labels, plates=plates, wells=wells, seed=seed)
    found = {"roc_auc": auc}
    if not np.isfinite(probabilities).all():
        return found
    each = outcomes(labels, probabilities)
    pooled = plates_or_wells(plates, wells, strata=labels)
    estimates = scores_of(each.sum(axis=0))
    if isinstance(pooled, Units):
        sums = pooled.sums(each)
        drawn = scores_of(pooled.weights(seed=seed) @ sums)
        found |= {name: pooled.from_draws(float(estimates[name]), drawn[name]) for name in estimates}
    else:
        found |= {name: none(float(value), pooled) for name, value in estimates.items()}
    by_line = plates_or_wells(plates, wells, strata=lines_and(labels, lines))
    return found | _medians(labels, scores, each, lines, by_line, seed=seed)


def outcomes(labels: Int64Array, probabilities: Float64Array) -> Float64Array:
    """For each image (N,) whether it is a hit, a miss, a false alarm, a rejection; (N, 4)."""
    called, drug = probabilities > 0.5, labels == 1
    return np.stack([called & drug, ~called & drug, called & ~drug, ~called & ~drug], axis=1).astype(float)


def scores_of(counts: Float64Array) -> dict[str, Any]:
    """The scores but ROC AUC from counts (..., 4) of :func:`outcomes`; NaN where undefined."""
    hits, misses, alarms, rejections = np.moveaxis(counts, -1, 0)
    recall, specificity = divided(hits, hits + misses), divided(rejections, rejections + alarms)
    return {
        "accuracy": divided(hits + rejections, hits + misses + alarms + rejections),
        "precision": divided(hits, hits + alarms),
        "recall": recall,
        "specificity": specificity,
        "f1": divided(2 * hits, 2 * hits + alarms + misses),
        "balanced_accuracy": (recall + specificity) / 2,
    }


def lines_and(labels: Int64Array, lines: NDArray[np.object_]) -> NDArray[np.object_]:
    """The stratum of each image: its class and cell line."""
    return np.asarray([f"{label}\t{line}" for label, line in zip(labels, lines, strict=True)], dtype=object)


def _medians(
    labels: Int64Array,
    scores: Float64Array,
    each: Float64Array,
    lines: NDArray[np.object_],
    units: Units | str,
    *,
    seed: int,
) -> dict[str, Interval]:
    names = sorted(set(lines))
    of_line = [np.flatnonzero(lines == name) for name in names]
    weights = units.weights(seed=seed) if isinstance(units, Units) else np.ones((0, 1))
    estimates: dict[str, list[Any]] = {}
    drawn: dict[str, list[Float64Array]] = {}
    for rows in of_line:
        here = np.unique(units.code[rows], return_inverse=True) if isinstance(units, Units) else None
        own, code = (np.zeros(1, np.int64), np.zeros(len(rows), np.int64)) if here is None else here
        sums = np.zeros((len(own), 4))
        np.add.at(sums, code, each[rows])
        pairs = Pairs.count(scores[rows], labels[rows], code.astype(np.int64), len(own))
        everything = np.ones((1, len(own)), dtype=np.int64)
        for name, value in {**scores_of(sums.sum(axis=0)), "roc_auc": pairs.auc(everything)[0]}.items():
            estimates.setdefault(name, []).append(value)
        if here is not None:
            mine = weights[:, own]
            for name, values in {**scores_of(mine @ sums), "roc_auc": pairs.auc(mine)}.items():
                drawn.setdefault(name, []).append(values)
    found = {}
    for name, values in estimates.items():
        if name == "balanced_accuracy":
            continue
        middle = float(median_defined(np.asarray(values, dtype=np.float64)))
        if isinstance(units, Units) and math.isfinite(middle):
            over_lines = median_defined(np.stack(drawn[name], axis=-1))
            found[f"{name}{BY_LINE}"] = units.from_draws(middle, over_lines)
        else:
            why = units if isinstance(units, str) else "the statistic itself is undefined on these data"
            found[f"{name}{BY_LINE}"] = none(middle, why)
    return found
