"""Intervals of the ROC AUC by plates or wells, for one setup or many at once; arrays only.

The AUC is a two-sample U-statistic (Hanley & McNeil 1982, Radiology 143:29): a sum over pairs of a drug and
a control image. The (G, G) matrix of won pairs between groups is made once; a resample is then one
quadratic form in how often each group was drawn, and nothing is sorted again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morphobench.errors import InputError
from morphobench.evaluation.bootstrap.interval import (
    Interval,
    Method,
    coded,
    draw_weights,
    interval,
    strata_of,
)
from morphobench.types import Float64Array, Int64Array


@dataclass(frozen=True)
class Scored:
    """Images scored by K setups: ``scores`` (K, N), ``labels`` (N,) of 0 / 1, ``groups`` (N,).

    The images of one seed's test split; every setup of that seed scored the same ones.
    """

    scores: Float64Array
    labels: NDArray[Any]
    groups: NDArray[Any]


@dataclass(frozen=True)
class Draws:
    """AUC of K setups: ``estimates`` (K,), and ``drawn`` (R, K) in R resamples of the same ``units`` groups.

    Whatever is made of the columns of a row, a difference or any contrast, keeps the setups paired.
    """

    estimates: Float64Array
    drawn: Float64Array
    units: int


def roc_auc_interval(
    scores: NDArray[Any],
    labels: NDArray[Any],
    groups: Sequence[Any] | NDArray[Any],
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
    method: Method = "percentile",
) -> Interval:
    """ROC AUC of ``scores`` for ``labels`` of 0 / 1, both (N,), pooled over images; resamples ``groups``
    (N,).

    Equal to :func:`grouped_bootstrap` with scikit-learn's ``roc_auc_score``. Where each group holds one
    class only (wells), groups are drawn within their class, so that no resample lacks one. InputError on
    bad arrays.
    """
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    names, code = coded(groups, arrays=(scores, labels))
    _check(scores, labels)
    pairs = Pairs.count(scores, labels, code, len(names))
    layers = strata_of(code, labels if pairs.pure else None)
    estimate = float(pairs.auc(np.ones((1, len(names)), dtype=np.int64))[0])
    method = "percentile" if pairs.pure else method
    return interval(
        pairs.auc, estimate, layers, resamples=resamples, seed=seed, confidence=confidence, method=method
    )


def roc_auc_interval_by_unit(
    scores: NDArray[Any],
    labels: NDArray[Any],
    *,
    plates: NDArray[Any] | None,
    wells: NDArray[Any] | None,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """:func:`roc_auc_interval` with plates as units, with wells where there are too few plates.

    ``plates`` and ``wells`` (N,), None where they are not known; a well of another plate is another well.
    Intervals over wells say nothing of how plates differ. Never falls back to single images.
    """
    found = Interval(math.nan, math.nan, math.nan, 0, confidence, "neither plates nor wells are known")
    if not np.isfinite(scores).all():
        return replace(found, reason="some scores are not finite")
    reasons = []
    for unit, groups in (("plate", plates), ("well", within(plates, wells))):
        if groups is not None:
            one = roc_auc_interval(
                scores, labels, groups, resamples=resamples, seed=seed, confidence=confidence
            )
            reasons.append(one.reason.replace("group", unit))
            found = replace(one, unit=unit, reason="" if one else "; ".join(reasons))
            if one:
                break
    return found


def roc_auc_draws(parts: Sequence[Scored], *, resamples: int = 2000, seed: int = 0) -> Draws:
    """AUC of K setups, the mean over ``parts`` (seeds), in resamples of groups that all setups and seeds
    share.

    A group in several parts (a plate that was in the test split of two seeds) is drawn in all of them or in
    none. A part whose drawn groups lack a class does not count in that resample. InputError where parts
    differ in K.
    """
    if not parts or len({np.shape(part.scores)[0] for part in parts}) != 1:
        raise InputError(
            "parts: at least one, all of the same setups, wanted, got none or of different numbers"
        )
    codes = np.concatenate([np.asarray(part.groups, dtype=str) for part in parts])
    names, code = coded(codes, arrays=(codes,))
    bounds = np.cumsum([0, *(len(part.groups) for part in parts)])
    mine = [code[bounds[i] : bounds[i + 1]] for i in range(len(parts))]
    for part in parts:
        _check(part.scores, part.labels)
    labels = np.concatenate([part.labels for part in parts])
    single = [np.unique(labels[code == group]).size == 1 for group in range(len(names))]
    layers = strata_of(code, labels if all(single) else None)
    weights = draw_weights(layers, resamples=resamples, seed=seed)
    every = np.ones((1, len(names)), dtype=np.int64)
    setups = len(parts[0].scores)
    estimates, drawn = np.empty(setups), np.empty((resamples, setups))
    for k in range(setups):
        pairs = [
            Pairs.count(part.scores[k], part.labels, own, len(names))
            for part, own in zip(parts, mine, strict=True)
        ]
        estimates[k] = _mean_defined([one.auc(every) for one in pairs])[0]
        drawn[:, k] = _mean_defined([one.auc(weights) for one in pairs])
    return Draws(estimates, drawn, min(len(layer) for layer in layers))


def within(plates: NDArray[Any] | None, wells: NDArray[Any] | None) -> NDArray[Any] | None:
    """The wells (N,) named together with their plates, so that A01 of two plates are two wells."""
    if plates is None or wells is None:
        return wells
    names = [f"{plate}\t{well}" for plate, well in zip(plates, wells, strict=True)]
    return np.asarray(names, dtype=object)


@dataclass(frozen=True)
class Pairs:
    """``won`` (G, G): pairs of a drug image of group g and a control image of h ranked rightly, ties half."""

    won: Float64Array
    positive: Float64Array
    negative: Float64Array

    @classmethod
    def count(cls, scores: Float64Array, labels: NDArray[Any], code: Int64Array, groups: int) -> Pairs:
        """Of ``scores`` (N,) with ``labels`` of 0 / 1 in groups ``code`` (N,) 0 .. ``groups`` - 1."""
        won = np.zeros((groups, groups))
        drug = labels == 1
        drug_scores, drug_code = scores[drug], code[drug]
        control_scores, control_code = scores[~drug], code[~drug]
        order = np.argsort(control_code, kind="stable")
        bounds = np.searchsorted(control_code[order], np.arange(groups + 1))
        for group in range(groups):
            one = np.sort(control_scores[order[bounds[group] : bounds[group + 1]]])
            if len(one):
                below = np.searchsorted(one, drug_scores, "left") + np.searchsorted(one, drug_scores, "right")
                won[:, group] = np.bincount(drug_code, weights=below / 2, minlength=groups)
        positive = np.bincount(drug_code, minlength=groups).astype(np.float64)
        return cls(won, positive, np.bincount(control_code, minlength=groups).astype(np.float64))

    @property
    def pure(self) -> bool:
        """Whether each group holds one class only."""
        return bool(((self.positive == 0) | (self.negative == 0)).all())

    def auc(self, weights: Int64Array | Float64Array) -> Float64Array:
        """The AUC (R,) of resamples ``weights`` (R, G); NaN where one lacks a class."""
        times = weights.astype(np.float64)
        pairs = (times @ self.positive) * (times @ self.negative)
        won = np.einsum("rg,rg->r", times @ self.won, times)
        auc: Float64Array = np.divide(won, pairs, out=np.full(len(times), math.nan), where=pairs > 0)
        return auc


def _mean_defined(values: Sequence[Float64Array]) -> Float64Array:
    """The mean over arrays (R,), leaving NaN out; NaN where all are."""
    stacked = np.stack(values)
    defined = np.isfinite(stacked)
    total, count = np.where(defined, stacked, 0.0).sum(axis=0), defined.sum(axis=0)
    mean: Float64Array = np.divide(total, count, out=np.full(len(total), math.nan), where=count > 0)
    return mean


def _check(scores: Float64Array, labels: NDArray[Any]) -> None:
    if not np.isin(labels, (0, 1)).all():
        raise InputError(f"labels: 0 (control) and 1 (drug) wanted, got {np.unique(labels)[:5].tolist()}")
    if not np.isfinite(scores).all():
        raise InputError(
            f"scores: finite numbers wanted, got {int((~np.isfinite(scores)).sum())} that are not"
        )
