"""Linear probe: a logistic regression on frozen profiles; arrays only."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.evaluation.retrieval.checks import check_rows, rows_field
from morphobench.types import Float32Array, Float64Array, Int64Array

PROBE_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True)
class Probe:
    """Result of a linear probe.

    Attributes:
        accuracy: Share of test rows classified correctly.
        balanced_accuracy: Recall, averaged over the classes.
        chance: Balanced accuracy of a constant answer, 1 / classes.
        strength: The C that validation chose.
        rows: (M,) test rows classified.
        labels: (M,) their classes.
        predicted: (M,) the classes predicted.
    """

    accuracy: float
    balanced_accuracy: float
    chance: float
    strength: float
    rows: Int64Array = rows_field()
    labels: Int64Array = rows_field()
    predicted: Int64Array = rows_field()


def linear_probe(
    profiles: Float32Array,
    labels: Int64Array,
    *,
    train: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    test: NDArray[np.bool_],
    strengths: Sequence[float] = PROBE_STRENGTHS,
) -> Probe:
    """Fit a logistic regression on frozen profiles, its penalty chosen on validation; it needs no seed.

    Multinomial, with an L2 penalty, classes weighted by their rarity, features standardized on the training
    rows (scikit-learn's ``LogisticRegression`` by L-BFGS). The strength of the best balanced accuracy on
    validation is used, the smallest of equals. Rows whose label is below 0, or absent from training, are
    left out.

    With fewer training rows than features the model is fitted in the space that they span, which is exact:
    weights outside it would only add to the penalty.

    Args:
        profiles: (N, D) finite.
        labels: (N,) class numbers.
        train: bool (N,) rows to fit.
        validation: bool (N,) rows to choose the strength by; none: the middle strength is used.
        test: bool (N,) rows to report.
        strengths: Candidates for C, the inverse of the penalty, above 0.

    Returns:
        The result; NaN where there are fewer than two classes to train on, or no test row.

    Raises:
        InputError: Shapes that do not fit, or no strength.
    """
    check_rows(profiles, labels=labels, train=train, validation=validation, test=test)
    if not strengths or min(strengths) <= 0:
        raise InputError(f"strengths must be at least one number, all above 0, got {tuple(strengths)}")
    classes = np.unique(labels[train & (labels >= 0)])
    usable = np.isin(labels, classes) & (labels >= 0)
    parts = [np.flatnonzero(part & usable) for part in (train, validation, test)]
    if len(classes) < 2 or not len(parts[2]):
        return Probe(float("nan"), float("nan"), float("nan"), float("nan"))
    x, x_validation, x_test = _standardized(profiles, parts)
    ordered = sorted(strengths)
    fitted = []
    for strength in ordered if len(parts[1]) else ordered[len(ordered) // 2 :][:1]:
        model = _logistic(x, labels[parts[0]], strength)
        score = _balanced(labels[parts[1]], model.predict(x_validation)) if len(parts[1]) else 0.0
        fitted.append((round(score, 9), -strength, model))  # the order of classes changes its last digits
    _, strength, model = max(fitted, key=lambda one: one[:2])
    wanted, predicted = labels[parts[2]], np.asarray(model.predict(x_test), dtype=np.int64)
    return Probe(
        float(np.mean(predicted == wanted)),
        _balanced(wanted, predicted),
        1 / len(classes),
        -strength,
        parts[2],
        wanted,
        predicted,
    )


def _standardized(profiles: Float32Array, parts: Sequence[Int64Array]) -> list[Float64Array]:
    """Standardize the parts by the first; in the space of its rows where it has fewer than features."""
    mean = profiles[parts[0]].mean(axis=0, dtype=np.float64)
    spread = profiles[parts[0]].std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1
    scaled = [(profiles[part] - mean) / spread for part in parts]
    if len(parts[0]) < profiles.shape[1]:
        basis = np.linalg.qr(scaled[0].T)[0]
        scaled = [rows @ basis for rows in scaled]
    return scaled


def _logistic(x: Float64Array, labels: Int64Array, strength: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    # Its matrix products are so small that several threads wait for each other longer than they compute.
    with threadpool_limits(limits=1, user_api="blas"), warnings.catch_warnings():
        # The last digits of the optimum change no answer, and take long where classes are nearly separable.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Many classes of few images each, such as wells, are classes all the same.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        return LogisticRegression(C=strength, class_weight="balanced", tol=1e-6, max_iter=1000).fit(x, labels)


def _balanced(labels: Int64Array, predicted: Int64Array) -> float:
    """Recall, averaged over the classes that occur."""
    return float(np.mean([np.mean(predicted[labels == name] == name) for name in np.unique(labels)]))
