"""Classification task: a small network tells drugs from controls by the frozen embeddings."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.classification import confusion_counts, score_intervals, scores_of
from morphobench.evaluation.classifier.grid import GridPoint, class_weights, grid_points
from morphobench.evaluation.inputs import EvaluationInput, median_and_deviation
from morphobench.evaluation.registry import MetricInfo, TaskResult, register, undefined
from morphobench.types import Float64Array, Int64Array

_POOLED = {
    "accuracy": MetricInfo("up", None, "", "share of images classified correctly, all cell lines pooled"),
    "precision": MetricInfo("up", None, "", "share of drug images among those called drug"),
    "recall": MetricInfo("up", None, "", "share of drug images called drug"),
    "specificity": MetricInfo("up", None, "", "share of control images called control"),
    "f1": MetricInfo("up", None, "", "harmonic mean of precision and recall"),
    "roc_auc": MetricInfo("up", 0.5, "", "probability that a drug image ranks above a control image"),
}
SCORES = tuple(_POOLED)
"""The study's six scores; reference-1 chooses the grid point by their sum."""

_METRICS = {
    **_POOLED,
    "balanced_accuracy": MetricInfo("up", 0.5, "", "mean of recall and specificity"),
    **{
        f"{name}_by_line": MetricInfo(
            info.direction, info.chance, info.unit, f"median of {name} over cell lines"
        )
        for name, info in _POOLED.items()
    },
    "roc_auc_by_line_deviation": MetricInfo(
        "none", None, "", "median absolute deviation of roc_auc over lines"
    ),
}


def roc_auc(labels: Int64Array, scores: Float64Array) -> float:
    """Area under the ROC curve by the Mann-Whitney statistic, ties counted half.

    Args:
        labels: (N,) of 0 (control) and 1 (drug).
        scores: (N,); larger: more likely a drug image.

    Returns:
        0 to 1; NaN for a single class.
    """
    drug, control = scores[labels == 1], np.sort(scores[labels == 0])
    if not len(drug) or not len(control):
        return float("nan")
    below, up_to = (np.searchsorted(control, drug, side=side).sum() for side in ("left", "right"))
    return float((below + up_to) / (2 * len(drug) * len(control)))


def binary_scores(
    labels: Int64Array, probabilities: Float64Array, *, hard_auc: bool = False
) -> dict[str, float]:
    """Compute the study's six scores and balanced accuracy; drug is the positive class.

    Args:
        labels: (N,) of 0 (control) and 1 (drug).
        probabilities: (N,) probability of drug; drug is predicted above 0.5.
        hard_auc: Compute ROC AUC from predicted classes, as reference-1 does.

    Returns:
        Score by name; NaN where there is nothing to divide by.
    """
    predicted = probabilities > 0.5
    scores = scores_of(confusion_counts(labels, probabilities).sum(axis=0))
    auc = roc_auc(labels, predicted.astype(np.float64) if hard_auc else probabilities)
    return {
        name: auc if name == "roc_auc" else float(scores[name]) for name in (*SCORES, "balanced_accuracy")
    }


@register("classification", metrics=_METRICS)
def classification(inputs: EvaluationInput) -> TaskResult:
    """Train a D-256-2 network at each point of the grid; report the test split.

    corrected-1: features standardized on train, a fresh start per point, the point of the best validation ROC
    AUC. reference-1 (its fact 6): one network carried through all points, features as they are, softmax
    before cross-entropy, the point of the largest sum of test scores, ROC AUC from predicted classes.

    Args:
        inputs: Embeddings and metadata.

    Returns:
        Scores pooled and by cell line, intervals, and the tables "by_cell_line", "grid" and "predictions".

    Raises:
        InputError: No split or control type is known, or ``balance_classes`` under reference-1.
    """
    labels = inputs.labels()
    rows = {
        name: np.flatnonzero(inputs.in_split(name) & (labels >= 0))
        for name in ("train", "validation", "test")
    }
    counts = np.bincount(labels[rows["train"]], minlength=2)
    if counts.min() == 0 or not len(rows["test"]):
        return undefined(
            "classification",
            "classification needs training images of both classes and test images, got "
            f"{counts[0]} controls, {counts[1]} drug images and {len(rows['test'])} test images",
        )
    run = _reference if inputs.protocol == "reference-1" else _corrected
    probabilities, grid, warnings = run(inputs, labels, rows)

    hard_auc = inputs.protocol == "reference-1"
    test = rows["test"]
    pooled = binary_scores(labels[test], probabilities, hard_auc=hard_auc)
    table = _by_line(labels[test], probabilities, inputs.cell_lines()[test], hard_auc=hard_auc)
    metrics = dict(pooled)
    for name in SCORES:
        metrics[f"{name}_by_line"], deviation = median_and_deviation(table[name])
        if name == "roc_auc":
            metrics["roc_auc_by_line_deviation"] = deviation
    return TaskResult(
        {f"classification.{name}": value for name, value in metrics.items()},
        {
            "by_cell_line": table,
            "grid": grid,
            "predictions": _predictions(inputs, test, labels, probabilities),
        },
        (*warnings, *_undefined_scores(pooled, table)),
        {
            f"classification.{name}": one
            for name, one in score_intervals(
                labels[test],
                probabilities,
                lines=inputs.cell_lines()[test],
                plates=inputs.column_of("Plate", test),
                wells=inputs.column_of("Well", test),
                hard_auc=hard_auc,
                seed=inputs.seed,
            ).items()
        },
    )


def _undefined_scores(pooled: dict[str, float], by_line: pd.DataFrame) -> tuple[str, ...]:
    """The warning of scores that the test split cannot define, where there are any."""
    if np.isnan(pooled["roc_auc"]):
        return ("classification: the test split lacks a class, so some scores are undefined",)
    if np.isnan(pooled["precision"]):
        return ("classification: no test image was called a drug, so precision is undefined",)
    lines = int(by_line["roc_auc"].isna().sum())
    if lines:
        return (f"classification: {lines} of {len(by_line)} cell lines lack a class in the test split",)
    return ()


def _predictions(
    inputs: EvaluationInput, test: Int64Array, labels: Int64Array, probabilities: Float64Array
) -> pd.DataFrame:
    """Test images with their plates, wells and cell lines, for comparisons that resample those."""
    known = {name: inputs.column(name) for name in ("Plate", "Well", "CellLine")}
    columns = {f"Metadata_{name}": values[test] for name, values in known.items() if values is not None}
    return pd.DataFrame({"row": test, **columns, "label": labels[test], "drug_probability": probabilities})


def _corrected(
    inputs: EvaluationInput, labels: Int64Array, rows: dict[str, Int64Array]
) -> tuple[Float64Array, pd.DataFrame, tuple[str, ...]]:
    # torch is slow to import, and most of the evaluation needs none
    from morphobench.evaluation.classifier.batched_mlp import ClassifierGrid, Scaling

    points = grid_points(inputs.options.sweep)
    scaling = Scaling.standard(inputs.embeddings, inputs.in_split("train") & (labels >= 0))
    networks = ClassifierGrid(
        inputs.embeddings.shape[1], size=len(points), seed=inputs.seed, device=inputs.device
    )
    networks.fit(
        inputs.embeddings,
        labels,
        rows["train"],
        points,
        scaling=scaling,
        epochs=inputs.options.sweep.classifier_epochs,
        batch_size=inputs.options.sweep.classifier_batch,
        seed=inputs.seed,
        class_weights=class_weights(labels[rows["train"]]) if inputs.options.balance_classes else None,
    )
    validation = networks.probabilities(inputs.embeddings, rows["validation"], scaling=scaling)
    areas = np.asarray([roc_auc(labels[rows["validation"]], each) for each in validation])
    warnings: tuple[str, ...] = ()
    if np.isnan(areas).all():
        # The test split must not choose; without validation nothing may, so the study's first point stands.
        best = 0
        if len(points) > 1:
            warnings = (
                "classification: validation lacks a class, so the first point of the grid is used unchosen",
            )
    else:
        best = int(np.nanargmax(areas))
    test = networks.probabilities(inputs.embeddings, rows["test"], scaling=scaling)
    return test[best], _grid_table(points, "validation_roc_auc", areas, best), warnings


def _reference(
    inputs: EvaluationInput, labels: Int64Array, rows: dict[str, Int64Array]
) -> tuple[Float64Array, pd.DataFrame, tuple[str, ...]]:
    if inputs.options.balance_classes:
        raise InputError("balance_classes must be off under reference-1, which weights no classes, got on")
    from morphobench.evaluation.classifier.batched_mlp import ClassifierGrid, Scaling

    points = grid_points(inputs.options.sweep)
    scaling = Scaling.none(inputs.embeddings.shape[1])
    network = ClassifierGrid(
        inputs.embeddings.shape[1], seed=inputs.seed, softmax_first=True, device=inputs.device
    )
    tests: list[Float64Array] = []
    sums: list[float] = []
    for number, point in enumerate(points):
        network.fit(
            inputs.embeddings,
            labels,
            rows["train"],
            [point],
            scaling=scaling,
            epochs=inputs.options.sweep.classifier_epochs,
            batch_size=inputs.options.sweep.classifier_batch,
            seed=inputs.seed + number,
        )
        tests.append(network.probabilities(inputs.embeddings, rows["test"], scaling=scaling)[0])
        scores = binary_scores(labels[rows["test"]], tests[-1], hard_auc=True)
        sums.append(float(np.nansum([scores[name] for name in SCORES])))
    best = int(np.argmax(sums))
    return tests[best], _grid_table(points, "test_sum", np.asarray(sums), best), ()


def _grid_table(points: list[GridPoint], criterion: str, values: Float64Array, best: int) -> pd.DataFrame:
    table = pd.DataFrame([vars(point) for point in points])
    table[criterion] = values
    table["chosen"] = np.arange(len(points)) == best
    return table


def _by_line(
    labels: Int64Array, probabilities: Float64Array, lines: NDArray[np.object_], *, hard_auc: bool
) -> pd.DataFrame:
    records = []
    for line in sorted(set(lines)):
        mine = lines == line
        counts = {
            "cell_line": line,
            "images": int(mine.sum()),
            "drug_images": int(labels[mine].sum()),
        }
        records.append({**counts, **binary_scores(labels[mine], probabilities[mine], hard_auc=hard_auc)})
    return pd.DataFrame.from_records(records)
