"""Batch integration on planted batches; our call of scib-metrics beside slow oracles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from morphobench.evaluation import EvaluationInput, TaskResult, evaluate
from morphobench.evaluation.registry import ON_REQUEST, default_tasks
from morphobench.evaluation.tasks.integration import mixing
from morphobench.options import EvaluationOptions
from morphobench.types import Normalization

PLATES, WELLS = 4, 24


def table(shift: float) -> EvaluationInput:
    """Plates moved by so many deviations; six control wells each, three compounds apart from each other."""
    random = np.random.default_rng(0)
    rows, values = [], []
    for plate in range(PLATES):
        moved = shift * random.normal(size=8)
        for well in range(WELLS):
            kind = well % 4
            centre = np.zeros(8)
            centre[kind] = 6.0 * (kind > 0)
            for _ in range(3):
                values.append(random.normal(size=8) + moved + centre)
                rows.append(
                    {
                        "Metadata_Plate": f"P{plate}",
                        "Metadata_Well": f"A{well + 1:02d}",
                        "Metadata_Compound": f"c{kind}" if kind else "DMSO",
                        "Metadata_ControlType": "trt" if kind else "negcon",
                        "Metadata_Split": "test",
                    }
                )
    return EvaluationInput(np.asarray(values, dtype=np.float32), pd.DataFrame(rows))


def found(shift: float, normalize: Normalization = "none") -> TaskResult:
    inputs = table(shift)
    options = EvaluationOptions(normalize=normalize)
    asked = EvaluationInput(inputs.embeddings, inputs.metadata, options)
    return evaluate(asked, tasks=["integration"])["integration"]


def test_it_is_run_only_where_it_is_named() -> None:
    assert "integration" in ON_REQUEST
    assert "integration" not in default_tasks()


def test_one_batch_is_undefined_and_says_why() -> None:
    inputs = table(0)
    one = inputs.metadata.assign(Metadata_Plate="P0")
    result = evaluate(EvaluationInput(inputs.embeddings, one), tasks=["integration"])["integration"]
    assert all(np.isnan(value) for value in result.metrics.values())
    assert "at least two batches or plates" in result.warnings[0]


def test_mixed_plates_score_high_and_moved_plates_low() -> None:
    pytest.importorskip("scib_metrics", reason="scib-metrics is not installed (extra: integration)")
    mixed, apart = found(0).metrics, found(20).metrics
    assert mixed["integration.ilisi"] > 0.6
    assert apart["integration.ilisi"] < 0.1
    assert mixed["integration.pcr"] < 0.2
    assert apart["integration.pcr"] > 0.8
    assert mixed["integration.graph_connectivity"] > 0.95


def test_a_correction_that_works_shows_beside_the_uncorrected_value() -> None:
    pytest.importorskip("scib_metrics", reason="scib-metrics is not installed (extra: integration)")
    corrected, apart = found(20, "tvn").metrics, found(20).metrics
    assert corrected["integration.pcr_uncorrected"] == pytest.approx(apart["integration.pcr"])
    assert corrected["integration.pcr"] < 0.3 * corrected["integration.pcr_uncorrected"]
    assert corrected["integration.ilisi"] > corrected["integration.ilisi_uncorrected"] + 0.3


def test_the_numbers_are_those_of_their_definitions() -> None:
    """R squared of each component on the batches weighted by its variance; parts of a graph by search."""
    pytest.importorskip("scib_metrics", reason="scib-metrics is not installed (extra: integration)")
    random = np.random.default_rng(0)
    batches, labels = np.arange(60) % 3, np.arange(60) // 30
    values = (random.normal(size=(60, 5)) * (3, 2, 1, 1, 1) + batches[:, None] * (1, 0, 2, 0, 0)).astype(
        np.float32
    )
    centred = values.astype(np.float64) - values.mean(axis=0)
    scores = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
    within = sum(
        ((scores[batches == one] - scores[batches == one].mean(axis=0)) ** 2).sum(axis=0) for one in range(3)
    )
    total = (scores**2).sum(axis=0)
    expected = ((1 - within / total) * total).sum() / total.sum()
    measured = mixing(values, batches, labels)
    assert measured.pcr == pytest.approx(expected, rel=1e-3)
    islands = values.copy()
    islands[:20] += (
        1000  # 20 of the 30 profiles of label 0 are far from its other 10, which label 1 surrounds
    )
    parts = mixing(islands, batches, labels).graph_connectivity
    assert parts < measured.graph_connectivity <= 1
