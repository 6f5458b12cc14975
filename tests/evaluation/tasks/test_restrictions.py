"""The ladder of restrictions on profiles whose plate, batch and compound effects are planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from morphobench.evaluation import EvaluationInput, TaskResult, evaluate
from morphobench.evaluation.retrieval.average_precision import null_average_precision
from morphobench.evaluation.retrieval.restricted import restricted_average_precision
from morphobench.options import EvaluationOptions


def ladder(
    *, compound: float = 0.0, mechanism: float = 0.0, plate: float = 0.0, batches: bool = True, seed: int = 0
) -> TaskResult:
    """24 compounds of 6 mechanisms on 12 plates of 4 batches; a compound is on half of the plates twice."""
    random = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    values = []
    directions = random.normal(size=(24 + 6 + 12, 20))
    for number in range(12):
        part = "train" if number % 3 == 0 else "test"
        for name in [*range(24), *[-1] * 8]:
            for copy in range(2):
                vector = random.normal(size=20) + plate * directions[30 + number]
                if name >= 0:
                    vector += compound * directions[name] + mechanism * directions[24 + name // 4]
                values.append(vector)
                rows.append(
                    {
                        "Metadata_Plate": f"P{number:02d}",
                        "Metadata_Well": f"W{len(rows):04d}",
                        "Metadata_Batch": f"b{number % 4}" if batches else None,
                        "Metadata_Compound": f"c{name:02d}" if name >= 0 else "DMSO",
                        "Metadata_MOA": f"m{name // 4}" if name >= 0 else None,
                        "Metadata_ControlType": "trt" if name >= 0 else "negcon",
                        "Metadata_Split": part,
                        "copy": copy,
                    }
                )
    options = EvaluationOptions(normalize="none")
    inputs = EvaluationInput(np.asarray(values, dtype=np.float32), pd.DataFrame(rows), options, seed=seed)
    return evaluate(inputs, tasks=["restrictions"])["restrictions"]


def test_a_compound_effect_is_found_on_every_rung() -> None:
    found = ladder(compound=2.0).metrics
    for name in ("nsw", "nsp", "nsb"):
        assert found[f"restrictions.knn_{name}"] > 0.95
        assert found[f"restrictions.map_{name}"] > 0.8
    assert found["restrictions.unseen_compound_auc"] < 0.75  # compounds share no direction


def test_a_mechanism_is_found_without_its_compound() -> None:
    result = ladder(mechanism=1.5)
    for name in ("nsc", "nscb"):
        assert result.metrics[f"restrictions.moa_{name}"] > 0.9
        assert result.metrics[f"restrictions.moa_{name}_chance"] < 0.3
        assert result.intervals[f"restrictions.moa_{name}"].units == 6
    assert result.metrics["restrictions.unseen_compound_auc"] > 0.8
    assert result.intervals["restrictions.unseen_compound_auc"].unit == "compound"


def test_without_any_effect_every_rung_is_at_chance() -> None:
    found = [ladder(plate=2.0, seed=seed).metrics for seed in range(3)]
    mean = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    for name in ("map_nsw", "map_nsp", "map_nsb", "knn_nsw", "knn_nsp", "knn_nsb", "moa_nsc", "moa_nscb"):
        assert mean[f"restrictions.{name}"] == pytest.approx(mean[f"restrictions.{name}_chance"], abs=0.1)
    assert mean["restrictions.unseen_compound_auc"] == pytest.approx(0.5, abs=0.1)


def test_plates_do_not_stand_in_for_batches() -> None:
    result = ladder(compound=2.0, batches=False)
    assert np.isnan(result.metrics["restrictions.map_nsb"])
    assert np.isnan(result.metrics["restrictions.moa_nscb"])
    assert np.isfinite(result.metrics["restrictions.map_nsp"])
    assert any("NSB and NSCB are undefined" in text for text in result.warnings)


def test_average_precision_among_admissible_profiles_is_that_of_a_plain_search() -> None:
    random = np.random.default_rng(0)
    profiles = random.normal(size=(30, 5)).astype(np.float32)
    labels, plates = random.integers(-1, 4, 30), random.integers(0, 3, 30)
    found, chance, deviation = restricted_average_precision(profiles, labels, [plates])
    unit = profiles / np.linalg.norm(profiles, axis=1, keepdims=True)
    for query in range(30):
        others = [j for j in range(30) if labels[j] >= 0 and plates[j] != plates[query]]
        others.sort(key=lambda j: -float(unit[j] @ unit[query]))
        ranks = [rank for rank, j in enumerate(others, 1) if labels[j] == labels[query]]
        if labels[query] < 0 or not 0 < len(ranks) < len(others):
            assert np.isnan(found[query])
            continue
        expected = np.mean([number / rank for number, rank in enumerate(ranks, 1)])
        assert found[query] == pytest.approx(expected)
        drawn = null_average_precision(len(ranks), len(others), null_size=20_000, seed=1)
        assert chance[query] == pytest.approx(drawn.mean(), rel=0.03)
        assert deviation[query] == pytest.approx(drawn.std(), rel=0.25)
