"""Progress says what happens, metrics.jsonl keeps it, TensorBoard shows it."""

from __future__ import annotations

import io
import json
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from morphobench.errors import InputError
from morphobench.training import Callback, TrainingOptions, TrainingState, progress, train
from morphobench.training.callbacks.progress import TrainingProgress
from morphobench.training.callbacks.tensorboard import TensorBoard

Toy = Callable[..., Any]
OPTIONS = TrainingOptions(epochs=2, batch_size=8, size_px=8)
SETTING = "no_aug_one_crop"


def test_metrics_hold_each_epoch(
    toy: Toy, data: dict[str, Any], held_out: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    options = replace(OPTIONS, checkpoint_dir=tmp_path / "deep")
    result = train(toy(), **data, setting=SETTING, options=options, validation=held_out)
    lines = [json.loads(line) for line in (tmp_path / "deep" / "metrics.jsonl").read_text().splitlines()]
    head = {"setup": "toy/no_aug_one_crop", "protocol": "corrected-1"}
    assert lines == [{**head, **record.describe()} for record in result.history]


def test_plain_lines_away_from_a_terminal(
    toy: Toy, data: dict[str, Any], held_out: tuple[Any, Any, Any]
) -> None:
    written = io.StringIO()
    watch = progress(Console(file=written, width=300))
    train(toy(), **data, setting=SETTING, options=OPTIONS, validation=held_out, callbacks=[watch])
    lines = written.getvalue().splitlines()
    assert lines[0] == "toy/no_aug_one_crop: 2 epochs, 4 steps"
    assert len(lines) == 3
    assert "epoch 1/2, loss 0." in lines[1]
    assert ", validation 0." in lines[1]
    assert lines[1].endswith("images/s")
    assert "\x1b" not in written.getvalue()


def test_plain_lines_within_a_long_epoch(toy: Toy, data: dict[str, Any]) -> None:
    written = io.StringIO()
    watch = TrainingProgress(Console(file=written, width=300), interval_s=0.0)
    train(toy(), **data, setting=SETTING, options=OPTIONS, callbacks=[watch])
    steps = [line for line in written.getvalue().splitlines() if "left" in line]
    assert len(steps) == 4
    assert "epoch 2/2" in steps[2]
    assert ", 3/4" in steps[2]
    assert steps[2].endswith("s left")
    assert steps[3].endswith(", 0 s left")


def test_resumed_run_says_so(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    class Stop(Callback):
        def step(self, state: TrainingState) -> None:
            if state.step == 3:
                raise RuntimeError("stopped")

    options = replace(OPTIONS, checkpoint_dir=tmp_path)
    with pytest.raises(RuntimeError, match="stopped"):
        train(toy(), **data, setting=SETTING, options=options, callbacks=[Stop()])
    written = io.StringIO()
    train(
        toy(),
        **data,
        setting=SETTING,
        options=options,
        callbacks=[progress(Console(file=written, width=300))],
    )
    assert written.getvalue().startswith("toy/no_aug_one_crop: 2 epochs, 4 steps, from step 2\n")


def test_bar_on_a_terminal(toy: Toy, data: dict[str, Any]) -> None:
    written = io.StringIO()
    watch = progress(Console(file=written, force_terminal=True, width=140))
    train(toy(), **data, setting=SETTING, options=OPTIONS, callbacks=[watch])
    assert "images/s" in written.getvalue()
    assert "epoch 2/2" in written.getvalue()


def test_bar_is_gone_after_an_error(toy: Toy, data: dict[str, Any]) -> None:
    class Fail(Callback):
        def step(self, state: TrainingState) -> None:
            raise RuntimeError("stopped")

    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=140)
    with pytest.raises(RuntimeError, match="stopped"):
        train(toy(), **data, setting=SETTING, options=OPTIONS, callbacks=[progress(console), Fail()])
    end = len(written.getvalue())
    console.print("next")
    assert written.getvalue()[end:] == "next\n"  # a bar that is still there would be drawn again below it


class FakeWriter:
    """What TensorBoard's writer is asked to write."""

    made: list[FakeWriter]

    def __init__(self, folder: str, *, purge_step: int | None) -> None:
        self.folder, self.purge_step, self.closed = folder, purge_step, False
        self.scalars: list[tuple[str, float, int]] = []
        FakeWriter.made.append(self)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, value, step))

    def close(self) -> None:
        self.closed = True


def test_tensorboard_gets_each_epoch(
    toy: Toy,
    data: dict[str, Any],
    held_out: tuple[Any, Any, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = FakeWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    FakeWriter.made = []
    options = replace(OPTIONS, checkpoint_dir=tmp_path)
    for _ in range(2):  # the second finds a finished run
        result = train(
            toy(),
            **data,
            setting=SETTING,
            options=options,
            validation=held_out,
            callbacks=[TensorBoard(tmp_path / "events")],
        )
    first, second = FakeWriter.made
    assert (first.folder, first.purge_step, first.closed) == (str(tmp_path / "events"), None, True)
    loss = [(value, step) for name, value, step in first.scalars if name == "training/loss"]
    assert loss == [(record.training["loss"], record.epoch) for record in result.history]
    assert {name for name, _, _ in first.scalars} == {
        "training/loss",
        "training/twice",
        "validation/loss",
        "validation/twice",
        "speed/images_per_s",
    }
    assert (second.scalars, second.purge_step) == ([], 3)


def test_tensorboards_own_reader_finds_each_epoch(
    toy: Toy, data: dict[str, Any], held_out: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    """The real package, where it is installed: written, paused, gone on, and read back by its own reader."""
    pytest.importorskip("tensorboard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its dependencies, not ours
        accumulator = import_module("tensorboard.backend.event_processing.event_accumulator")
        options = replace(OPTIONS, checkpoint_dir=tmp_path)
        for pause in (1, None):
            result = train(
                toy(),
                **data,
                setting=SETTING,
                options=replace(options, pause_after_epoch=pause),
                validation=held_out,
                callbacks=[TensorBoard(tmp_path / "events")],
            )
        events = accumulator.EventAccumulator(str(tmp_path / "events")).Reload()
    assert set(events.Tags()["scalars"]) == {
        "training/loss",
        "training/twice",
        "validation/loss",
        "validation/twice",
        "speed/images_per_s",
    }
    for part in ("training", "validation"):
        found = [(event.step, event.value) for event in events.Scalars(f"{part}/loss")]
        expected = [(record.epoch, getattr(record, part)["loss"]) for record in result.history]
        assert [step for step, _ in found] == [step for step, _ in expected] == [1, 2]
        np.testing.assert_allclose([loss for _, loss in found], [loss for _, loss in expected], rtol=1e-6)


def test_tensorboard_without_the_extra_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"pip install 'morphobench\[tensorboard\]'"):
        TensorBoard("events")
