"""Audit of a data set before training: can its tasks show that an encoder has learned morphology?

For each task: how many independent units there are, how well plate, batch, position and cell count alone
predict the label, how close simple baselines come to the ceiling, which difference between two encoders the
plates could show, and which plates have too few controls to normalize by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from morphobench.evaluation.bootstrap.auc import name_wells_by_plate
from morphobench.evaluation.bootstrap.resampling import RESAMPLES, Units, divide_defined
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.nuisance import (
    Predictability,
    fit_predictions,
    group_predictability,
    label_questions,
    labels_and_parts,
    macro_recall,
    nuisance_features,
    recall_draws,
)
from morphobench.evaluation.profiles.table import LEAST_CONTROLS
from morphobench.types import Float32Array, Int64Array

CONFOUNDED = 0.5
"""Share of the way from chance to 1 at which a nuisance variable alone makes a task confounded."""

SATURATED = 0.95
"""Score of a baseline at which a task is saturated: there is nothing left to learn."""

POWER = 0.8


@dataclass(frozen=True)
class TaskAudit:
    """Audit of one task.

    Attributes:
        question: What the task asks, in words ("drug against control").
        units: Numbers of plates, wells and compounds, of plates that hold several classes, and
            ``effective_plates``, the plates' number after weighting them by their images.
        predictable_from: Score of each nuisance variable alone on the test split, and its chance.
        baselines: Score of each baseline on the test split: recall averaged over the classes.
        detectable_difference: Smallest difference of that score between two encoders that the test plates (or
            wells) would show with 80 % power at 5 %; None where there are too few.
        confounded: Whether plate, batch or cell count alone predicts the label.
        saturated: Whether a baseline leaves no room above it that the plates could show.
        verdicts: What this means, one sentence each.
    """

    question: str
    units: dict[str, float]
    predictable_from: dict[str, Predictability] = field(default_factory=dict)
    baselines: dict[str, float] = field(default_factory=dict)
    detectable_difference: float | None = None
    confounded: bool = False
    saturated: bool = False
    verdicts: tuple[str, ...] = ()


def audit(
    inputs: EvaluationInput, baselines: Mapping[str, Float32Array], *, permutations: int = 200
) -> dict[str, TaskAudit]:
    """Audit the tasks of a data set.

    Args:
        inputs: Metadata with a split; the embeddings are not used.
        baselines: Baseline embeddings of the same images by name, (N, D) each.
        permutations: Random assignments of labels to wells that give the chance of plate and batch.

    Returns:
        Audit by task: "classification" (drug against control), "mechanism" and "compound" (among treated
        images); those whose labels the metadata does not hold are absent.

    Raises:
        InputError: No control type is known, or no split.
    """
    found = {}
    for name, (question, names) in label_questions(inputs).items():
        if len(set(names[inputs.in_split("test")]) - {""}) >= 2:
            found[name] = _audit_task(inputs, question, names, baselines, permutations)
    return found


def plates_with_few_controls(inputs: EvaluationInput) -> tuple[list[str], int]:
    """List the plates that have too few controls to normalize by.

    Args:
        inputs: Metadata.

    Returns:
        Plates with fewer than six control wells (images where wells are unknown), and the number of all
        plates.
    """
    plates, wells = inputs.column("Plate"), inputs.column("Well")
    if plates is None:
        return [], 0
    known = inputs.labels() == 0
    names = wells if wells is not None else np.arange(len(plates)).astype(str)
    counts = pd.DataFrame({"plate": plates[known], "well": names[known]}).groupby("plate")["well"].nunique()
    every = sorted(set(plates))
    return [plate for plate in every if counts.get(plate, 0) < LEAST_CONTROLS], len(every)


def _audit_task(
    inputs: EvaluationInput,
    question: str,
    names: NDArray[np.object_],
    baselines: Mapping[str, Float32Array],
    permutations: int,
) -> TaskAudit:
    labels, parts = labels_and_parts(inputs, names)
    test = parts["test"]
    plates, wells = inputs.column("Plate"), inputs.column("Well")
    by_well = name_wells_by_plate(plates, wells)
    predictable = {}
    for name in ("Plate", "Batch"):
        groups = inputs.column(name)
        if groups is not None and len(set(groups)) > 1:
            predictable[name.lower()] = group_predictability(
                labels[test],
                groups[test],
                None if by_well is None else by_well[test],
                permutations=permutations,
                seed=inputs.seed,
            )
    for name, features in nuisance_features(inputs).items():
        predicted = fit_predictions(features, labels, parts)
        if predicted is not None:
            classes = len(np.unique(labels[parts["train"]]))
            predictable[name] = Predictability(macro_recall(labels[test], predicted), 1 / classes)
    predictions = {
        name: predicted
        for name, values in baselines.items()
        if (predicted := fit_predictions(values, labels, parts)) is not None
    }
    scores = {name: macro_recall(labels[test], predicted) for name, predicted in predictions.items()}
    smallest = _detectable(labels[test], predictions, _units(plates, by_well, test))
    units = _count_units(inputs, labels)
    confounded = _worst(predictable) is not None
    best = max(scores.values(), default=0.0)
    saturated = best >= SATURATED or (smallest is not None and 1 - best < smallest)
    found = TaskAudit(question, units, predictable, scores, smallest, confounded, saturated)
    return TaskAudit(**{**vars(found), "verdicts": tuple(_verdicts(found))})


def _count_units(inputs: EvaluationInput, labels: Int64Array) -> dict[str, float]:
    used = np.flatnonzero(labels >= 0)
    counts: dict[str, float] = {"images": len(used)}
    plates, wells = inputs.column_of("Plate", used), inputs.column_of("Well", used)
    compounds = inputs.column_of("Compound", used)
    if plates is not None:
        table = pd.crosstab(plates, labels[used]).to_numpy(np.float64)
        sizes = table.sum(axis=1)
        counts["plates"] = len(table)
        counts["plates_with_several_classes"] = int(((table > 0).sum(axis=1) > 1).sum())
        # Kish's effective sample size, with the pairs of classes on a plate as its weight: a plate of one
        # class contributes nothing to a comparison within plates.
        pairs = (sizes**2 - (table**2).sum(axis=1)) / np.maximum(sizes, 1)
        counts["effective_plates"] = float(divide_defined(pairs.sum() ** 2, (pairs**2).sum()))
        if math.isnan(counts["effective_plates"]):
            counts["effective_plates"] = 0.0
    by_well = name_wells_by_plate(plates, wells)
    if by_well is not None:
        counts["wells"] = len(set(by_well))
    if compounds is not None:
        share = pd.Series(compounds[inputs.labels()[used] == 1]).value_counts(normalize=True)
        counts["compounds"] = len(share)
        counts["effective_compounds"] = float(1 / (share**2).sum()) if len(share) else 0.0
        counts["largest_compound_share"] = float(share.max()) if len(share) else 0.0
    return counts


def _units(
    plates: NDArray[np.object_] | None, wells: NDArray[np.object_] | None, test: Int64Array
) -> Units | None:
    for name, groups in (("plate", plates), ("well", wells)):
        if groups is not None and len(set(groups[test])) >= 3:
            return Units.of(groups[test], name)
    return None


def _detectable(
    labels: Int64Array, predictions: Mapping[str, Int64Array], units: Units | None
) -> float | None:
    """Difference that plates would show with 80 % power: from how two baselines differ between resamples."""
    if units is None or len(predictions) < 2:
        return None
    weights = units.weights(seed=0, resamples=RESAMPLES)
    drawn = [recall_draws(labels, predicted, units, weights) for predicted in predictions.values()]
    errors = [float(np.nanstd(one - other)) for i, one in enumerate(drawn) for other in drawn[i + 1 :]]
    count = units.smallest
    error = float(np.median(errors)) * math.sqrt(count / (count - 1))
    return float((stdtrit(count - 1, 0.975) + stdtrit(count - 1, POWER)) * error)


def _worst(predictable: Mapping[str, Predictability]) -> str | None:
    """The variable that alone predicts the label best, where one makes the task confounded.

    Position is left out: layouts put controls in fixed wells nearly everywhere, and an image shows its
    position only by effects of the plate's edge.
    """
    visible = {name: one.above_chance for name, one in predictable.items() if name != "position"}
    worst = max(visible, key=lambda name: visible[name], default=None)
    return worst if worst is not None and visible[worst] >= CONFOUNDED else None


def _verdicts(found: TaskAudit) -> list[str]:
    said = []
    if (worst := _worst(found.predictable_from)) is not None:
        one = found.predictable_from[worst]
        said.append(
            f"{found.question} is {100 * one.score:.0f} % predictable from the {worst.replace('_', ' ')} "
            f"alone (chance {100 * one.chance:.0f} %): not a test of morphology"
        )
    place = found.predictable_from.get("position")
    if place is not None and place.above_chance >= CONFOUNDED:
        said.append(
            f"{found.question}: the position on the plate alone reaches {place.score:.2f} (chance "
            f"{place.chance:.2f}), so effects of position cannot be told from those of the label"
        )
    if found.saturated and found.baselines:
        name, score = max(found.baselines.items(), key=lambda one: one[1])
        said.append(f"{found.question}: the baseline {name} reaches {score:.2f}, so no learning can be seen")
    if found.detectable_difference is None:
        said.append(f"{found.question}: too few plates or wells to say which difference would be seen")
    else:
        room = 1 - max(found.baselines.values(), default=0.0)
        said.append(
            f"{found.question}: a difference of {found.detectable_difference:.3f} would be seen with "
            f"{100 * POWER:.0f} % power; the best baseline leaves {room:.3f}"
        )
    single = found.units.get("plates", 0) - found.units.get("plates_with_several_classes", 0)
    if single:
        said.append(
            f"{found.question}: {single:.0f} of {found.units['plates']:.0f} plates hold one class only; "
            f"{found.units['effective_plates']:.1f} effective plates compare classes"
        )
    if (share := found.units.get("largest_compound_share", 0)) > 1 / 3:
        said.append(f"{found.question}: one compound makes up {100 * share:.0f} % of the treated images")
    return said
