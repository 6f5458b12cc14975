"""MLflow and Weights & Biases, the real packages without a server: paused, resumed, and read back."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from morphobench.errors import InputError
from morphobench.training import Callback, TrainingOptions, TrainingResult, train
from morphobench.training.callbacks.mlflow import MLflow
from morphobench.training.callbacks.wandb import WeightsAndBiases

OPTIONS = TrainingOptions(epochs=2, batch_size=8, size_px=8, seed=5, threads=1, data_id="toy")


def _train_with_a_pause(
    make: Callable[[], Callback],
    toy: Callable[[], Any],
    data: dict[str, Any],
    held_out: tuple[Any, Any, Any],
    tmp_path: Path,
) -> TrainingResult:
    options = replace(OPTIONS, checkpoint_dir=tmp_path / "training")
    for pause in (1, None):
        result = train(
            toy(),
            **data,
            setting="no_aug_one_crop",
            options=replace(options, pause_after_epoch=pause),
            validation=held_out,
            callbacks=[make()],
        )
    return result


def test_mlflow_holds_one_run_with_every_epoch(
    toy: Callable[[], Any], data: dict[str, Any], held_out: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its dependencies, not ours
        result = _train_with_a_pause(lambda: MLflow("study", tracking_uri=uri), toy, data, held_out, tmp_path)
        client = mlflow.MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name("study")
        (run,) = client.search_runs([experiment.experiment_id])
        history = client.get_metric_history(run.info.run_id, "training/loss")
    assert run.info.status == "FINISHED"
    assert run.data.params["batch_size"] == "8"
    assert [(one.step, one.value) for one in sorted(history, key=lambda one: one.step)] == [
        (record.epoch, pytest.approx(record.training["loss"])) for record in result.history
    ]


def test_weights_and_biases_keeps_every_epoch_offline(
    toy: Callable[[], Any],
    data: dict[str, Any],
    held_out: tuple[Any, Any, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = _train_with_a_pause(
            lambda: WeightsAndBiases("study", folder=tmp_path), toy, data, held_out, tmp_path
        )
    files = sorted((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(files) == 2  # one for each call, of one run
    assert len({file.stem for file in files}) == 1
    assert all(b"training/loss" in file.read_bytes() for file in files)
    assert len(result.history) == 2


@pytest.mark.parametrize(("package", "tracker"), [("mlflow", MLflow), ("wandb", WeightsAndBiases)])
def test_without_the_extra_the_error_says_what_to_install(
    package: str, tracker: type[Callback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"{package} must be installed for this.*morphobench\[tracking\]"):
        tracker()
