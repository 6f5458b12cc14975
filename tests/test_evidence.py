"""The tool of the evidence: parts that share no group, queries that no encoder has seen, paired intervals."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

TOOL = Path(__file__).resolve().parents[1] / "tools" / "evidence.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evidence", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evidence"] = module
    spec.loader.exec_module(module)
    return module


def wells_of(week: int) -> list[tuple[str, str | None]]:
    """Compound and mechanism of the wells of a plate."""
    own = f"m{week % 2}"
    return [("DMSO", None), ("everywhere", "m0"), (f"own{week}", own), (f"too{week}", own)]


def screen() -> pd.DataFrame:
    """Ten weeks of two plates, four wells each: controls, one compound in all weeks, one of each week."""
    rows = [
        {
            "Metadata_Plate": f"Week{week}_{plate}",
            "Metadata_Well": f"A{well}",
            "Metadata_Compound": compound,
            "Metadata_Concentration_uM": 1.0,
            "Metadata_MOA": mechanism,
            "Metadata_ControlType": "negcon" if compound == "DMSO" else "trt",
        }
        for week in range(10)
        for plate in range(2)
        for well, (compound, mechanism) in enumerate(wells_of(week))
        for _ in range(3)
    ]
    return pd.DataFrame(rows)


def test_parts_share_no_group_and_follow_from_names_only(tool: ModuleType) -> None:
    plates = pd.DataFrame({"Metadata_Plate": [f"P{number}" for number in range(200)] * 2})
    found = tool.parts(plates, tool.SETS["malaria-slides"], 0)
    assert (found[:200] == found[200:]).all()
    assert (tool.parts(plates[::-1], tool.SETS["malaria-slides"], 0)[::-1] == found).all()
    shares = pd.Series(found).value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx({"train": 0.6, "validation": 0.2, "test": 0.2}, abs=0.08)


def test_folds_hold_out_every_week_once(tool: ModuleType) -> None:
    metadata, dataset = screen(), tool.SETS["bbbc021"]
    weeks = tool.weeks_of(metadata)
    held_out = [set(weeks[tool.parts(metadata, dataset, fold) == "test"]) for fold in range(tool.FOLDS)]
    assert sum(map(len, held_out)) == len(set().union(*held_out)) == 10


def store_of(metadata: pd.DataFrame) -> Any:
    return SimpleNamespace(
        metadata=metadata, labels=(metadata["Metadata_ControlType"] == "trt").to_numpy(dtype=np.int64)
    )


@pytest.mark.parametrize("measure", ["nscb", "map"])
def test_perfect_embeddings_answer_every_query_of_unseen_compounds(tool: ModuleType, measure: str) -> None:
    metadata = screen()
    column = "Metadata_MOA" if measure == "nscb" else "Metadata_Compound"
    names = pd.factorize(metadata[column].fillna("none"))[0]
    rng = np.random.default_rng(0)
    perfect = np.eye(names.max() + 1)[names] + rng.normal(0, 1e-3, (len(metadata), names.max() + 1))
    noise = rng.normal(size=perfect.shape)
    dataset, store = tool.SETS["bbbc021"], store_of(metadata)
    values = {}
    for name, embeddings in {"perfect": perfect, "noise": noise}.items():
        folds = [embeddings.astype(np.float32)] * tool.FOLDS
        statistic, units = tool.retrieved(folds, store, dataset, measure)
        assert units == 20  # own and too of each week; "everywhere" was seen in training
        values[name] = statistic(np.ones(units))
    assert values["perfect"] == pytest.approx(1)
    assert values["noise"] < 0.8


def test_predictions_are_of_the_part_and_weighted_by_plate(tool: ModuleType) -> None:
    rng = np.random.default_rng(1)
    metadata = pd.DataFrame(
        {
            "Metadata_Plate": np.repeat([f"P{number}" for number in range(40)], 20),
            "Metadata_Compound": np.tile(["a", "b"], 400),
            "Metadata_ControlType": np.tile(["negcon", "trt"], 400),
        }
    )
    store = store_of(metadata)
    of = tool.parts(metadata, tool.SETS["malaria-slides"], 0)
    embeddings = rng.normal(size=(800, 4)).astype(np.float32)
    embeddings[:, 0] += 3 * store.labels
    for task in ("auc", "balanced_accuracy"):
        statistic, units = tool.predicted(embeddings, store, of, "test", task)
        assert units == len(set(metadata["Metadata_Plate"][of == "test"]))
        assert statistic(np.ones(units)) > 0.85
        one = np.zeros(units)
        one[0] = 1
        plate = sorted(set(metadata["Metadata_Plate"][of == "test"]))[0]
        changed = embeddings.copy()
        changed[(metadata["Metadata_Plate"] != plate) & (of == "test")] = 0  # other plates count for nothing
        other, _ = tool.predicted(changed, store, of, "test", task)
        assert other(one) == pytest.approx(statistic(one))


def test_paired_intervals(tool: ModuleType) -> None:
    rng = np.random.default_rng(2)
    base, gains = rng.normal(0.5, 0.3, 60), rng.normal(0.1, 0.1, 60)
    sides = {
        True: [lambda weights: float(np.average(base + gains, weights=weights))],
        False: [lambda weights: float(np.average(base, weights=weights))],
    }
    found = tool.paired(sides, 60)
    assert found["gain"] == pytest.approx(gains.mean(), abs=1e-3)
    error = gains.std(ddof=1) / np.sqrt(60)  # of the difference: what the groups share cancels
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert found["low"] > 0
    assert found["p"] < 0.01
    same = tool.paired({True: sides[False], False: sides[False]}, 60)
    assert (same["gain"], same["p"]) == (0, 1)


def test_a_star_needs_the_interval_and_holm(tool: ModuleType) -> None:
    row = {"set": "s", "measure": "auc", "arm": "a", "trained": 0.9, "untrained": 0.8, "gain": 0.1}
    found = {**row, "seeds": 5, "groups": 21}
    rows = [
        {**found, "low": 0.05, "high": 0.15, "p_holm": 0.01},
        {**found, "low": -0.01, "high": 0.2, "p_holm": 0.01},
        {**found, "low": 0.01, "high": 0.2, "p_holm": 0.06},
    ]
    lines = tool.as_markdown(rows).splitlines()
    assert lines[0] == "| s | auc | a | 0.900 | 0.800 | +0.100 \\* | +0.050 to +0.150 | 0.010 | 5 | 21 |"
    assert [r"\*" in line for line in lines] == [True, False, False]
