"""Known answers: chance inside the intervals where there is nothing, planted strengths found in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import binom

from morphobench.evaluation import METRICS, evaluate
from tests.support.null_data import holding, null_table, outcomes

SEEDS = 24
SLOW_SEEDS = 100
EXPECTED = {
    *(f"similarity.{prefix}d" for prefix in ("", "cosine_", "correlation_", "braycurtis_")),
    *(f"classification.{name}" for name in ("roc_auc", "balanced_accuracy", "roc_auc_by_line")),
    *(f"clustering.ari_{name}" for name in ("compound", "moa", "plate")),
    *(f"profiling.{name}_map" for name in ("replicate", "moa")),
    *(f"profiling.{name}_retrieved" for name in ("replicate", "moa")),
    *(f"profiling.{name}" for name in ("replicating", "matching")),
    *(f"profiling.{name}_accuracy" for name in ("knn", "nsc", "nscb", "probe")),
    *(f"restrictions.{kind}_{name}" for kind in ("map", "knn") for name in ("nsw", "nsp", "nsb")),
    *(f"restrictions.{name}" for name in ("moa_nsc", "moa_nscb", "unseen_compound_auc")),
}
"""Every metric of which chance is known, as declared or by its companion."""


def tally(rows: list[dict[str, bool]]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in rows[0]}


def least(seeds: int) -> int:
    """Of 95 % intervals, how many of ``seeds`` hold the truth but for a chance of 1 in 1,000."""
    return int(binom.ppf(0.001, seeds, 0.95))


def too_few(counts: dict[str, int], seeds: int) -> dict[str, int]:
    """Metrics whose intervals hold chance too rarely to be 95 % intervals."""
    return {name: count for name, count in counts.items() if count < least(seeds)}


@pytest.fixture(scope="module")
def null_results():
    return [outcomes(null_table(seed)) for seed in range(SEEDS)]


def test_intervals_hold_chance_where_there_is_nothing(null_results) -> None:
    counts = tally([holding(results) for results in null_results])
    assert set(counts) == EXPECTED
    assert not too_few(counts, SEEDS), counts
    assert sum(counts.values()) >= 0.92 * SEEDS * len(counts), counts


def test_the_same_check_fails_for_intervals_that_are_too_short(null_results) -> None:
    """At half their width exact 95 % intervals hold the truth in 67 % of cases: the check must see that.

    Not of every metric: those of medians over pairs and of average precisions are wider than they must be.
    """
    counts = tally([holding(results, width=0.5) for results in null_results])
    exact = {"classification.roc_auc", "classification.roc_auc_by_line", "profiling.knn_accuracy"}
    assert exact <= set(too_few(counts, SEEDS)), counts


def test_intervals_do_not_hold_chance_where_there_is_much() -> None:
    """What resampling units cannot do by being wide: with strong effects every interval excludes chance."""
    study = null_table(0, effect=6.0)
    longer = replace(study.options, sweep=replace(study.options.sweep, classifier_epochs=20))
    kept = holding(outcomes(replace(study, options=longer)))
    # Plates still mean nothing; and mechanisms in all directions are not on one side of a plane.
    excused = {"clustering.ari_plate", "restrictions.unseen_compound_auc"}
    assert {name for name, held in kept.items() if held} <= excused


@pytest.mark.slow
def test_intervals_hold_chance_in_90_of_100_seeds() -> None:
    counts = tally([holding(outcomes(null_table(seed))) for seed in range(1000, 1000 + SLOW_SEEDS)])
    assert set(counts) == EXPECTED
    assert not {name: count for name, count in counts.items() if count < 90}


@cache
def planted(task: str) -> list[Mapping[str, float]]:
    """Metrics of a task at three planted strengths."""
    return [evaluate(null_table(3, effect=effect), tasks=(task,))[task].metrics for effect in (0, 1, 4)]


@pytest.mark.parametrize(
    "name",
    [
        "similarity.d",
        "similarity.cosine_d",
        "classification.roc_auc",
        "clustering.ari_moa",
        "profiling.replicate_map",
        "profiling.moa_map",
        "profiling.knn_accuracy",
        "profiling.nsc_accuracy",
        "profiling.nscb_accuracy",
        "profiling.probe_accuracy",
    ],
)
def test_planted_strengths_are_recovered_in_order(name: str) -> None:
    found = [metrics[name] for metrics in planted(name.partition(".")[0])]
    assert METRICS[name].direction == "up"
    assert np.all(np.diff(found) > 0), found
