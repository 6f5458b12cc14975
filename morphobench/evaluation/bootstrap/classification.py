"""Intervals of classification scores, pooled and by cell line, over plates or wells; arrays only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench.evaluation.bootstrap.auc import Pairs, roc_auc_interval_by_unit
from morphobench.evaluation.bootstrap.interval import Interval, no_interval
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.evaluation.bootstrap.resampling import (
    Units,
    divide_defined,
    median_defined,
    plates_or_wells,
)
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
    """Intervals of the six scores, balanced accuracy, and the scores' medians over cell lines.

    Wells hold one class and cell line each; they are drawn within class (pooled scores), or within class and
    cell line (scores by cell line).

    Args:
        labels: (N,) of 0 (control) and 1 (drug).
        probabilities: (N,) probability of drug.
        lines: (N,) cell line.
        plates: (N,) plate; None: unknown.
        wells: (N,) well; None: unknown.
        hard_auc: Compute ROC AUC from predicted classes, as reference-1 does.
        seed: Seed of the resamples.

    Returns:
        95 % interval, or the reason why there is none, by score.
    """
    scores = (probabilities > 0.5).astype(np.float64) if hard_auc else probabilities
    auc = roc_auc_interval_by_unit(scores, labels, plates=plates, wells=wells, seed=seed)
    found = {"roc_auc": auc}
    if not np.isfinite(probabilities).all():
        return found
    each = confusion_counts(labels, probabilities)
    pooled = plates_or_wells(plates, wells, strata=labels)
    estimates = scores_of(each.sum(axis=0))
    if isinstance(pooled, Units):
        sums = pooled.sums(each)
        drawn = scores_of(pooled.weights(seed=seed) @ sums)
        found |= {name: pooled.from_draws(float(estimates[name]), drawn[name]) for name in estimates}
    else:
        found |= {name: no_interval(float(value), pooled) for name, value in estimates.items()}
    by_line = plates_or_wells(plates, wells, strata=class_and_line(labels, lines))
    return found | _medians(labels, scores, each, lines, by_line, seed=seed)


def confusion_counts(labels: Int64Array, probabilities: Float64Array) -> Float64Array:
    """Tell true positives, false negatives, false positives and true negatives.

    Args:
        labels: (N,) of 0 (control) and 1 (drug).
        probabilities: (N,) probability of drug; drug is called above 0.5.

    Returns:
        float (N, 4) with a single 1 in each row.
    """
    called, drug = probabilities > 0.5, labels == 1
    return np.stack([called & drug, ~called & drug, called & ~drug, ~called & ~drug], axis=1).astype(float)


def scores_of(counts: Float64Array) -> dict[str, Any]:
    """Scores other than ROC AUC from a confusion matrix.

    Args:
        counts: (..., 4) sums of `confusion_counts`.

    Returns:
        Score (...) by name; NaN where undefined.
    """
    tp, fn, fp, tn = np.moveaxis(counts, -1, 0)
    recall, specificity = divide_defined(tp, tp + fn), divide_defined(tn, tn + fp)
    return {
        "accuracy": divide_defined(tp + tn, tp + fn + fp + tn),
        "precision": divide_defined(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": divide_defined(2 * tp, 2 * tp + fp + fn),
        "balanced_accuracy": (recall + specificity) / 2,
    }


def class_and_line(labels: Int64Array, lines: NDArray[np.object_]) -> NDArray[np.object_]:
    """Name the stratum of each image: its class and cell line.

    Args:
        labels: (N,) classes.
        lines: (N,) cell lines.

    Returns:
        (N,) names.
    """
    return np.asarray([f"{label}\t{line}" for label, line in zip(labels, lines, strict=True)], dtype=object)


def _medians(
    labels: Int64Array,
    scores: Float64Array,
    each: Float64Array,
    lines: NDArray[np.object_],
    units: Units | Reason,
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
            why = units if isinstance(units, Reason) else Reason("undefined_statistic")
            found[f"{name}{BY_LINE}"] = no_interval(middle, why)
    return found
