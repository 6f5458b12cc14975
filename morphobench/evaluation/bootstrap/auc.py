"""Intervals of the ROC AUC over plates or wells, for one setup or many at once; arrays only.

The AUC is a two-sample U-statistic (Hanley & McNeil 1982, Radiology 143:29): a sum over pairs of a drug and
a control image. The (G, G) matrix of pairs ranked correctly, by group of each image, is made once. A resample
is then one quadratic form in how often each group was drawn, and nothing is sorted again.
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
    bootstrap_interval,
    draw_weights,
    encode_groups,
    group_strata,
)
from morphobench.evaluation.bootstrap.reason import Reason
from morphobench.types import Float64Array, Int64Array


@dataclass(frozen=True)
class Scored:
    """Test images of one seed with the scores of K setups, all of the same images.

    Attributes:
        scores: (K, N); larger: more likely a drug image.
        labels: (N,) of 0 (control) and 1 (drug).
        groups: (N,) plate or well of each image.
    """

    scores: Float64Array
    labels: NDArray[Any]
    groups: NDArray[Any]


@dataclass(frozen=True)
class Draws:
    """AUC of K setups in joint resamples.

    Differences and other contrasts of the columns of a row keep the setups paired.

    Attributes:
        estimates: (K,) on the data.
        drawn: (R, K) in the resamples.
        units: Number of groups; with strata, of the smallest stratum.
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
    unit: str = "group",
) -> Interval:
    """Interval of the ROC AUC, pooled over images, from resampling groups.

    Equal to `grouped_bootstrap` with scikit-learn's ``roc_auc_score``. Where each group holds one class only
    (wells), groups are drawn within their class, so that no resample lacks one.

    Args:
        scores: (N,) finite scores.
        labels: (N,) of 0 (control) and 1 (drug).
        groups: (N,) group of each image.
        resamples: Number of resamples.
        seed: Seed of the resamples.
        confidence: Confidence level.
        method: "percentile" or "bca"; always "percentile" where each group holds one class only.
        unit: What a group is.

    Returns:
        Interval, or the reason why there is none.

    Raises:
        InputError: Shapes that do not fit, other labels, scores that are not finite.
    """
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    names, code = encode_groups(groups, arrays=(scores, labels))
    _check(scores, labels)
    pairs = Pairs.count(scores, labels, code, len(names))
    layers = group_strata(code, labels if pairs.pure else None)
    estimate = float(pairs.auc(np.ones((1, len(names)), dtype=np.int64))[0])
    method = "percentile" if pairs.pure else method
    return bootstrap_interval(
        pairs.auc,
        estimate,
        layers,
        resamples=resamples,
        seed=seed,
        confidence=confidence,
        method=method,
        unit=unit,
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
    """Interval of the ROC AUC over plates, or over wells where there are too few plates.

    Intervals over wells say nothing of how plates differ. Single images are never resampled.

    Args:
        scores: (N,) scores.
        labels: (N,) of 0 (control) and 1 (drug).
        plates: (N,) plate of each image; None: unknown.
        wells: (N,) well of each image; None: unknown. Wells of different plates are different wells.
        resamples: Number of resamples.
        seed: Seed of the resamples.
        confidence: Confidence level.

    Returns:
        Interval, or the reason why there is none.
    """
    found = Interval(math.nan, math.nan, math.nan, 0, confidence, Reason("unknown_units"))
    if not np.isfinite(scores).all():
        return replace(found, reason=Reason("scores_not_finite"))
    reason: Reason | None = None
    for unit, groups in (("plate", plates), ("well", name_wells_by_plate(plates, wells))):
        if groups is None:
            continue
        one = roc_auc_interval(
            scores, labels, groups, resamples=resamples, seed=seed, confidence=confidence, unit=unit
        )
        if one or one.reason is None:
            return one
        reason = one.reason if reason is None else reason.join(one.reason)
        found = replace(one, reason=reason)
    return found


def roc_auc_draws(parts: Sequence[Scored], *, resamples: int = 2000, seed: int = 0) -> Draws:
    """Draw the AUC of K setups, the mean over seeds, in resamples that all setups and seeds share.

    A group in several parts (a plate that was in the test split of two seeds) is drawn in all of them or in
    none. A part whose drawn groups lack a class does not count in that resample.

    Args:
        parts: One per seed, all of the same K setups.
        resamples: Number of resamples R.
        seed: Seed of the resamples.

    Returns:
        Estimates and values in the resamples.

    Raises:
        InputError: No part, or parts of different numbers of setups.
    """
    if not parts or len({np.shape(part.scores)[0] for part in parts}) != 1:
        raise InputError("parts must be at least one, all of the same setups, got none or different numbers")
    codes = np.concatenate([np.asarray(part.groups, dtype=str) for part in parts])
    names, code = encode_groups(codes, arrays=(codes,))
    bounds = np.cumsum([0, *(len(part.groups) for part in parts)])
    mine = [code[bounds[i] : bounds[i + 1]] for i in range(len(parts))]
    for part in parts:
        _check(part.scores, part.labels)
    labels = np.concatenate([part.labels for part in parts])
    single = [np.unique(labels[code == group]).size == 1 for group in range(len(names))]
    layers = group_strata(code, labels if all(single) else None)
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


def name_wells_by_plate(plates: NDArray[Any] | None, wells: NDArray[Any] | None) -> NDArray[Any] | None:
    """Name wells together with their plates, so that A01 of two plates are two wells.

    Args:
        plates: (N,) plate of each row; None: unknown.
        wells: (N,) well of each row; None: unknown.

    Returns:
        (N,) names; the wells alone where plates are unknown, None where wells are.
    """
    if plates is None or wells is None:
        return wells
    names = [f"{plate}\t{well}" for plate, well in zip(plates, wells, strict=True)]
    return np.asarray(names, dtype=object)


@dataclass(frozen=True)
class Pairs:
    """Pairs of a drug and a control image, counted by group of each.

    Attributes:
        won: (G, G) pairs of a drug image of group g and a control image of h ranked correctly, ties half.
        positive: (G,) drug images.
        negative: (G,) control images.
    """

    won: Float64Array
    positive: Float64Array
    negative: Float64Array

    @classmethod
    def count(cls, scores: Float64Array, labels: NDArray[Any], code: Int64Array, groups: int) -> Pairs:
        """Count the pairs.

        Args:
            scores: (N,) scores.
            labels: (N,) of 0 (control) and 1 (drug).
            code: (N,) group number of each image, 0 to ``groups`` - 1.
            groups: Number of groups G.

        Returns:
            The counts.
        """
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
        """AUC of each resample.

        Args:
            weights: (R, G) how often each group was drawn.

        Returns:
            (R,); NaN where a resample lacks a class.
        """
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
        raise InputError(f"labels must be 0 (control) or 1 (drug), got {np.unique(labels)[:5].tolist()}")
    if not np.isfinite(scores).all():
        raise InputError(f"scores must be finite, got {int((~np.isfinite(scores)).sum())} that are not")
