"""The documentation's task of one's own, from its file in the current folder to metrics; entry points."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from morphobench.cli import main
from morphobench.errors import InputError
from morphobench.evaluation import EvaluationInput, registry
from morphobench.report.summary import summarize
from morphobench.run.evaluate import evaluated
from morphobench.run.options import RunOptions
from morphobench.run.record import OwnMetric
from tests.support.report_records import record

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with plates.py as the page has it; what it registers is forgotten afterwards."""
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n# plates\.py\n(.*?)```", page, re.DOTALL)
    assert found is not None
    (tmp_path / "plates.py").write_text(found[1])
    (tmp_path / "undecorated.py").write_text("def task(inputs):\n    return None\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    registry.TASKS.pop("plates", None)
    registry.METRICS.pop("plates.accuracy", None)
    for name in ("plates", "undecorated"):
        sys.modules.pop(name, None)


def test_its_metric_is_shown_and_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    plate = np.arange(80) % 2
    features = generator.normal(size=(80, 3)) + 3 * plate[:, None]
    columns = {f"emb_{number:04d}": features[:, number] for number in range(3)}
    metadata = {
        "Metadata_Plate": [f"P{one}" for one in plate],
        "Metadata_Well": [f"A{number:02d}" for number in range(80)],
        "Metadata_ControlType": np.where(np.arange(80) % 4 < 2, "negcon", "trt"),
        "Metadata_Split": "test",
    }
    pd.DataFrame({**metadata, **columns}).to_parquet(folder / "made.parquet", index=False)
    arguments = ["evaluate", "made.parquet", "--task", "plates:plates", "--json", "found.json"]
    assert main(arguments) == 0, capsys.readouterr().err
    assert "plates.accuracy" in capsys.readouterr().out
    assert json.loads((folder / "found.json").read_text())["metrics"]["plates.accuracy"] > 0.9


def test_a_record_says_what_its_metric_means(folder: Path) -> None:
    inputs = EvaluationInput(
        np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32),
        pd.DataFrame({"Metadata_Plate": ["a", "b"] * 20, "Metadata_Split": "test"}),
    )
    found = evaluated(inputs, ["plates:plates"], folder)
    assert list(found["own_metrics"]) == ["plates.accuracy"]
    told = found["own_metrics"]["plates.accuracy"]
    meaning = {"plates.accuracy": OwnMetric(**told)}
    one = replace(record("unsupervised/aug_one_crop"), metrics=found["metrics"], own_metrics=meaning)
    (column,) = summarize([one]).headline
    assert (column.key, column.direction, column.description) == (
        "plates.accuracy",
        told["direction"],
        told["description"],
    )


def test_options_keep_its_place(folder: Path) -> None:
    options = RunOptions.resolve(tasks=["plates:plates", "similarity"], device="cpu", threads=1)
    assert options.evaluation.tasks == ("similarity", "plates:plates")
    assert RunOptions.from_description(options.describe()) == options


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent:task", "task must be importable as 'package.module:name'"),
        ("undecorated:task", "must be a function decorated with .*register, got 'undecorated:task'"),
        ("guessing", "task must be of .* or 'package.module:function', got 'guessing'"),
    ],
)
def test_what_is_no_task_is_named(folder: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunOptions.resolve(tasks=[name], device="cpu")


def test_installed_packages_offer_tasks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("plates", "plates:plates", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda *, group: [entry])
    registry.load_installed_tasks()
    assert registry.TASKS["plates"].__module__ == "plates"
    assert registry.METRICS["plates.accuracy"].direction == "down"
