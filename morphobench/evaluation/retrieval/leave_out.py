"""Classification of drug against control on compounds that training has not seen."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from morphobench.evaluation.bootstrap.auc import roc_auc_interval
from morphobench.evaluation.bootstrap.interval import Interval, no_interval
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.evaluation.profiles.table import ProfileTable
from morphobench.types import Float64Array, Int64Array

FOLDS = 5
_STRENGTH = 0.01


def leave_compound_out(wells: ProfileTable, *, seed: int) -> tuple[float, Interval]:
    """Train on some compounds, test on others: drug against control wells.

    Compounds are dealt into five folds. For each, a logistic regression is fitted to the train split's
    controls and its wells of the other folds' compounds; it scores the test split's wells of the fold's
    compounds. Controls of the test split get the mean score of all folds.

    Args:
        wells: Well profiles with the column Split, controls among them.
        seed: Seed of the folds and of the resamples.

    Returns:
        ROC AUC on the test split, and its interval over compounds; controls are resampled singly. NaN
        with the reason where train or test lacks drugs or controls.
    """
    drug = ~wells.controls
    train, test = wells.columns["Split"] == "train", wells.columns["Split"] == "test"
    compounds = np.unique(wells.columns["Compound"][drug & test])
    enough = (train & drug).any() and (train & ~drug).any() and (test & ~drug).any() and len(compounds) >= 2
    if not enough:
        return float("nan"), no_interval(float("nan"), Reason("undefined_statistic"))
    order = np.random.default_rng([seed, 0x6C65]).permutation(len(compounds))
    fold_of = {compounds[place]: number % FOLDS for number, place in enumerate(order)}
    fold = np.array([fold_of.get(name, -1) for name in wells.columns["Compound"]])
    scores = np.zeros(len(drug))
    used = sorted(set(fold_of.values()))
    for number in used:
        fitted = train & (~drug | (fold != number))
        if not (fitted & drug).any():
            return float("nan"), no_interval(float("nan"), Reason("undefined_statistic"))
        asked = np.flatnonzero(test & (~drug | (fold == number)))
        found = _scores(wells, np.flatnonzero(fitted), asked, drug)
        scores[asked] += np.where(drug[asked], found, found / len(used))
    rows = np.flatnonzero(test & (~drug | (fold >= 0)))
    groups = [f"{'drug' if drug[row] else row}\t{wells.columns['Compound'][row]}" for row in rows]
    labels = drug[rows].astype(np.int64)
    one = roc_auc_interval(scores[rows], labels, groups, seed=seed, unit="compound")
    return one.estimate, one


def _scores(wells: ProfileTable, train: Int64Array, asked: Int64Array, drug: np.ndarray) -> Float64Array:
    """Decision values of a logistic regression, scaled by their deviation over training rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(wells.values[train])
    with threadpool_limits(limits=1, user_api="blas"):
        model = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=1000)
        model.fit(scaler.transform(wells.values[train]), drug[train])
        inside = model.decision_function(scaler.transform(wells.values[train]))
        found = model.decision_function(scaler.transform(wells.values[asked]))
    return np.asarray(found / max(float(np.std(inside)), 1e-12), dtype=np.float64)
