"""The registers and the checks of what evaluation takes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from morphobench.data import splits
from morphobench.errors import CheckError, InputError
from morphobench.evaluation import METRICS, TASKS, EvaluationInput, TaskResult, evaluate
from morphobench.evaluation.inputs import median_and_deviation
from morphobench.evaluation.registry import register


def _metadata(rows):
    return pd.DataFrame({"Metadata_Split": ["train"] * rows})


def test_every_metric_belongs_to_a_task_and_says_what_it_is():
    assert {name.split(".")[0] for name in METRICS} == set(TASKS)
    assert all(info.direction in ("up", "down", "none") and info.description for info in METRICS.values())


def test_not_finite_rows_are_named():
    embeddings = np.zeros((4, 3), dtype=np.float32)
    embeddings[2, 1] = np.nan
    with pytest.raises(InputError, match="row 2"):
        EvaluationInput(embeddings, _metadata(4))


@pytest.mark.parametrize("shape", [(4,), (4, 0), (4, 2, 2)])
def test_embeddings_are_a_table(shape):
    with pytest.raises(InputError, match=r"embeddings.*\(N, D\)"):
        EvaluationInput(np.zeros(shape, dtype=np.float32), _metadata(4))


def test_integers_are_refused():
    with pytest.raises(InputError, match="int64"):
        EvaluationInput(np.zeros((4, 2), dtype=np.int64), _metadata(4))


def test_metadata_has_a_row_for_each_embedding():
    with pytest.raises(InputError, match=r"\(4\), got 3 rows"):
        EvaluationInput(np.zeros((4, 2), dtype=np.float32), _metadata(3))


def test_unknown_names_are_refused():
    embeddings = np.zeros((2, 2), dtype=np.float32)
    with pytest.raises(InputError, match="protocol"):
        EvaluationInput(embeddings, _metadata(2), protocol="corrected-7")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="holdout"):
        EvaluationInput(embeddings, pd.DataFrame({"Metadata_Split": ["train", "holdout"]}))
    with pytest.raises(InputError, match="task must be of"):
        evaluate(EvaluationInput(embeddings, _metadata(2)), tasks=["similarities"])


def test_labels_and_columns():
    metadata = pd.DataFrame(
        {
            "Metadata_ControlType": ["negcon", "trt", "poscon", None],
            "Metadata_Plate": ["p", None, "q", "q"],
            "Metadata_MOA": [None] * 4,
        }
    )
    inputs = EvaluationInput(np.zeros((4, 2)), metadata)  # type: ignore[arg-type]
    assert inputs.labels().tolist() == [0, 1, 1, -1]
    plates = inputs.column("Plate")
    assert plates is not None
    assert plates.tolist() == ["p", "", "q", "q"]
    assert inputs.column("MOA") is None
    assert inputs.paths() is None
    assert inputs.cell_lines().tolist() == ["all"] * 4
    assert inputs.embeddings.dtype == np.float32
    with pytest.raises(InputError, match="Metadata_Split"):
        inputs.in_split("test")
    with pytest.raises(InputError, match="Metadata_ControlType"):
        EvaluationInput(inputs.embeddings, metadata.drop(columns="Metadata_ControlType")).labels()


def test_a_name_is_registered_once():
    with pytest.raises(InputError, match="classification"):
        register("classification", metrics={})(lambda inputs: TaskResult({}))


def test_a_task_reports_what_it_registered(monkeypatch):
    monkeypatch.setitem(TASKS, "odd", lambda inputs: TaskResult({"odd.surprise": 1.0}))
    with pytest.raises(InputError, match=r"odd\.surprise"):
        evaluate(EvaluationInput(np.zeros((2, 2), np.float32), _metadata(2)), tasks=["odd"])


def test_a_missing_split_is_made_by_plate(planted):
    embeddings, metadata = planted(lines=("A", "B", "C"))
    bare = metadata.drop(columns="Metadata_Split")
    made = evaluate(EvaluationInput(embeddings, bare), tasks=["similarity"])["similarity"]
    labels = splits.split(bare, seed=0).labels
    given = EvaluationInput(embeddings, bare.assign(Metadata_Split=labels))
    assert made.metrics == evaluate(given, tasks=["similarity"])["similarity"].metrics
    one_plate = bare.drop(columns=["Metadata_Plate", "Metadata_Well", "path"])
    result = evaluate(EvaluationInput(embeddings, one_plate), tasks=["similarity"])["similarity"]
    assert "split by image" in result.warnings[0]


def test_one_file_in_two_parts_is_refused(planted):
    embeddings, metadata = planted()
    tiles = metadata.assign(Metadata_Path="one.tiff")
    with pytest.raises(CheckError, match=r"one\.tiff"):
        evaluate(EvaluationInput(embeddings, tiles), tasks=["similarity"])


def test_median_and_deviation_by_hand():
    assert median_and_deviation([1.0, float("nan"), 2.0, 10.0]) == (2.0, 1.0)
    middle, deviation = median_and_deviation([3.0])
    assert middle == 3.0
    assert np.isnan(deviation)
    assert np.isnan(median_and_deviation([])).all()
