"""Prediction of labels from nuisance variables alone: plate, batch, position on the plate, cell count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.evaluation.bootstrap.resampling import Units, divide_defined
from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.retrieval.linear_probe import linear_probe
from morphobench.types import Float32Array, Float64Array, Int64Array

DENSITY_COLUMNS = {
    "cell_count": ("Metadata_FieldNuclei", "Metadata_CellCount"),
    "field_density": ("Metadata_FieldDensity",),
}
"""Columns that hold the number of cells in an image's field of view, and their number per area."""


@dataclass(frozen=True)
class Predictability:
    """How well one variable predicts the labels.

    Attributes:
        score: Recall averaged over the classes, 0 to 1.
        chance: The same of a variable without information.
    """

    score: float
    chance: float

    @property
    def above_chance(self) -> float:
        """Share of the way from chance to 1; 0 at chance or below."""
        return max(0.0, (self.score - self.chance) / (1 - self.chance)) if self.chance < 1 else 0.0


def label_questions(inputs: EvaluationInput) -> dict[str, tuple[str, NDArray[np.object_]]]:
    """List the questions about labels that a data set allows.

    Args:
        inputs: Metadata.

    Returns:
        The question in words and the label of each image ("" where it has none), by name: "classification"
        (drug against control), "mechanism" and "compound" (among treated images), the last two where known.

    Raises:
        InputError: No control type is known.
    """
    controls = inputs.labels()
    kinds = np.where(controls < 0, "", np.where(controls == 0, "control", "drug")).astype(object)
    found: dict[str, tuple[str, NDArray[np.object_]]] = {"classification": ("drug against control", kinds)}
    for name, column in (("mechanism", "MOA"), ("compound", "Compound")):
        values = inputs.column(column)
        if values is not None:
            found[name] = name, np.where(controls == 1, values, "").astype(object)
    return found


def labels_and_parts(
    inputs: EvaluationInput, names: NDArray[np.object_]
) -> tuple[Int64Array, dict[str, Int64Array]]:
    """Number the labels of a question, and list the images that have one.

    Args:
        inputs: Metadata with a split.
        names: (N,) label of each image; "" where it has none.

    Returns:
        (N,) classes, -1 where there is none; row numbers of "train", "validation" and "test".

    Raises:
        InputError: There is no split.
    """
    labels = np.where(names == "", -1, pd.factorize(names)[0]).astype(np.int64)
    parts = ("train", "validation", "test")
    return labels, {part: np.flatnonzero(inputs.in_split(part) & (labels >= 0)) for part in parts}


def macro_recall(labels: Int64Array, predicted: Int64Array) -> float:
    """Recall averaged over the classes that occur; for two classes the balanced accuracy.

    Args:
        labels: (N,) classes.
        predicted: (N,) predicted classes.

    Returns:
        0 to 1.
    """
    return float(np.mean([np.mean(predicted[labels == name] == name) for name in np.unique(labels)]))


def recall_draws(
    labels: Int64Array, predicted: Int64Array, units: Units, weights: Float64Array
) -> Float64Array:
    """Compute `macro_recall` in resamples of units.

    Args:
        labels: (N,) classes.
        predicted: (N,) predicted classes.
        units: Unit of each row.
        weights: How often each unit is drawn in each resample, (R, G).

    Returns:
        (R,).
    """
    classes = labels[:, None] == np.unique(labels)
    asked = weights @ units.sums(classes)
    right = weights @ units.sums(classes & (predicted == labels)[:, None])
    return np.asarray(np.nanmean(divide_defined(right, asked), axis=1), dtype=np.float64)


def group_predictability(
    labels: Int64Array,
    groups: NDArray[np.object_],
    wells: NDArray[np.object_] | None,
    *,
    permutations: int,
    seed: int,
) -> Predictability:
    """Measure how well the group an image lies in predicts its label.

    The prediction of a group is the class that is most over-represented in it. A group that holds few wells
    predicts them by construction; so chance is the mean score of random assignments of labels to wells.

    Args:
        labels: (N,) classes.
        groups: (N,) plate or batch.
        wells: (N,) wells, which hold one label each as a rule; None: images are reassigned alone.
        permutations: Number of random assignments.
        seed: Seed of these.

    Returns:
        Score and chance.
    """
    random = np.random.default_rng([seed, 0x6E756973])
    names, code = np.unique(groups.astype(str), return_inverse=True)
    unit = np.arange(len(labels)) if wells is None else np.unique(wells.astype(str), return_inverse=True)[1]
    pairs = np.unique(np.stack([unit, labels]), axis=1, return_inverse=True)
    of_unit, count = pairs[1].ravel(), pairs[0].shape[1]
    unit_label = pairs[0][1]

    def score(assigned: Int64Array) -> float:
        classes, place = np.unique(assigned, return_inverse=True)
        table = np.zeros((len(names), len(classes)))
        np.add.at(table, (code, place), 1)
        called = classes[np.argmax(table / table.sum(axis=0), axis=1)]
        return macro_recall(assigned, called[code])

    drawn = [score(unit_label[random.permutation(count)][of_unit]) for _ in range(permutations)]
    return Predictability(score(labels), float(np.mean(drawn)))


def nuisance_features(inputs: EvaluationInput) -> dict[str, Float32Array]:
    """Collect the nuisance variables that a model can be fitted to.

    Args:
        inputs: Metadata.

    Returns:
        By name, (N, F): "position" (row and column of the well, and whether it is at the edge, one-hot),
        "cell_count" and "field_density" (`DENSITY_COLUMNS`); absent where unknown.
    """
    found: dict[str, Float32Array] = {}
    wells = inputs.column("Well")
    places = None if wells is None else well_positions(wells)
    if places is not None and len(np.unique(places, axis=0)) > 1:
        rows, columns = places.T
        edge = (rows == rows.min()) | (rows == rows.max()) | (columns == columns.min())
        edge |= columns == columns.max()
        dummies = pd.get_dummies(pd.DataFrame({"row": rows, "column": columns}), columns=["row", "column"])
        found["position"] = np.column_stack([dummies.to_numpy(np.float32), edge]).astype(np.float32)
    for name in DENSITY_COLUMNS:
        values = field_values(inputs.metadata, name)
        if values is not None:
            found[name] = values[:, None]
    return found


def field_values(metadata: pd.DataFrame, name: str) -> Float32Array | None:
    """Cells in the field of view of each image, or their density.

    Args:
        metadata: With a column of `DENSITY_COLUMNS`.
        name: "cell_count" or "field_density".

    Returns:
        float32 (N,), unknown ones as the median; None where none is known or all are equal.
    """
    for column in DENSITY_COLUMNS[name]:
        if column in metadata:
            values = pd.to_numeric(metadata[column], errors="coerce")
            if values.nunique() > 1:
                return np.asarray(values.fillna(values.median()), dtype=np.float32)
    return None


def well_positions(wells: NDArray[np.object_]) -> Int64Array | None:
    """Read rows and columns from names of wells.

    Args:
        wells: (N,) names such as "B02" or "AA12".

    Returns:
        int64 (N, 2) of row and column from 1; None where a name has another form.
    """
    parsed = [re.fullmatch(r"([A-Za-z]{1,2})0*(\d{1,2})", str(well)) for well in wells]
    if not len(parsed) or any(one is None for one in parsed):
        return None
    places = []
    for one in parsed:
        assert one is not None  # noqa: S101
        row = 0
        for letter in one[1].upper():
            row = 26 * row + ord(letter) - ord("A") + 1
        places.append((row, int(one[2])))
    return np.asarray(places, dtype=np.int64)


def fit_predictions(
    features: Float32Array, labels: Int64Array, parts: Mapping[str, Int64Array]
) -> Int64Array | None:
    """Predict the test labels by a logistic regression on features.

    Args:
        features: (N, F).
        labels: (N,) classes; below 0: unknown.
        parts: Row numbers of "train", "validation" and "test", all of known label.

    Returns:
        Predicted class of each test row; None where there is nothing to learn. Rows of classes that training
        lacks are predicted as -1.
    """
    masks = {name: np.isin(np.arange(len(labels)), rows) for name, rows in parts.items()}
    probe = linear_probe(
        features, labels, train=masks["train"], validation=masks["validation"], test=masks["test"]
    )
    if not len(probe.rows):
        return None
    predicted = np.full(len(labels), -1, dtype=np.int64)
    predicted[probe.rows] = probe.predicted
    return predicted[parts["test"]]
