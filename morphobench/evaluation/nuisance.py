"""Prediction of labels from nuisance variables alone: plate, batch, position on the plate, cell count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.evaluation.inputs import EvaluationInput
from morphobench.evaluation.retrieval.linear_probe import linear_probe
from morphobench.types import Float32Array, Int64Array


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


def macro_recall(labels: Int64Array, predicted: Int64Array) -> float:
    """Recall averaged over the classes that occur; for two classes the balanced accuracy.

    Args:
        labels: (N,) classes.
        predicted: (N,) predicted classes.

    Returns:
        0 to 1.
    """
    return float(np.mean([np.mean(predicted[labels == name] == name) for name in np.unique(labels)]))


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
        By name, (N, F): "position" (row and column of the well, and whether it is at the edge, one-hot) and
        "cell_count" (``Metadata_FieldNuclei``); absent where unknown.
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
    counts = cell_counts(inputs)
    if counts is not None:
        found["cell_count"] = counts[:, None]
    return found


def cell_counts(inputs: EvaluationInput) -> Float32Array | None:
    """Cells in the field of view of each image.

    Args:
        inputs: Metadata with ``Metadata_FieldNuclei``.

    Returns:
        float32 (N,), unknown ones as the median; None where none is known or all are equal.
    """
    if "Metadata_FieldNuclei" not in inputs.metadata:
        return None
    values = pd.to_numeric(inputs.metadata["Metadata_FieldNuclei"], errors="coerce")
    if values.isna().all() or values.nunique() < 2:
        return None
    return np.asarray(values.fillna(values.median()), dtype=np.float32)


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
