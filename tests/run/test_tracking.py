"""``run --track``: every epoch of every setup in the tracker's files, and an error where it is absent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from morphobench.cli import main
from morphobench.data import ImageStore
from morphobench.training.callbacks import MLflow, TensorBoard, WeightsAndBiases
from morphobench.training.callbacks.tracking import trackers

OPTIONS = [
    "--setups",
    "weakly_supervised/no_aug_one_crop",
    "--profile",
    "smoke",
    "--images",
    "64",
    "--epochs",
    "2",
]
OPTIONS += ["--batch-size", "16", "--task", "classification", "--no-baselines", "--timing-s", "0", "--quiet"]
OPTIONS += ["--device", "cpu", "--threads", "1"]


@pytest.mark.filterwarnings("ignore")  # of tensorboard's dependencies
def test_tensorboard_holds_every_epoch(store: ImageStore, tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    out = tmp_path / "out"
    assert main(["run", f"{store.path}", f"{out}", *OPTIONS, "--track", "tensorboard"]) == 0
    (record,) = map(json.loads, (out / "results.jsonl").read_text().splitlines())
    events = accumulator.EventAccumulator(str(out / "training" / "weakly_supervised__no_aug_one_crop__seed0"))
    events.Reload()
    told = [(one.step, one.value) for one in events.Scalars("training/loss")]
    assert told == [(epoch["epoch"], pytest.approx(epoch["training"]["loss"])) for epoch in record["history"]]
    assert len(told) == 2
    assert "track" not in record["profile"]  # no result depends on it


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("tensorboard", "torch.utils.tensorboard", "tensorboard"),
        ("mlflow", "mlflow", "tracking"),
        ("wandb", "wandb", "tracking"),
    ],
)
def test_a_tracker_that_is_absent_is_named_before_anything_is_written(
    name: str,
    module: str,
    extra: str,
    store: ImageStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["run", f"{store.path}", f"{tmp_path}/out", *OPTIONS, "--track", name]) == 2
    said = capsys.readouterr().err
    assert f"package {name} must be installed" in said
    assert f"morphobench[{extra}]" in said
    assert not (tmp_path / "out").exists()


def test_each_name_makes_its_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, object, dict[str, object]]] = []
    for cls in (TensorBoard, MLflow, WeightsAndBiases):
        monkeypatch.setattr(
            cls, "__init__", lambda self, *given, **named: made.append((type(self).__name__, given, named))
        )
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    for name in ("none", "tensorboard", "mlflow", "wandb"):
        trackers(name, tmp_path / "one")
    trackers("tensorboard", None)
    assert made == [
        ("TensorBoard", (tmp_path / "one",), {}),
        ("MLflow", (), {"tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}"}),
        ("WeightsAndBiases", (), {"folder": tmp_path / "one", "mode": "offline"}),
    ]
