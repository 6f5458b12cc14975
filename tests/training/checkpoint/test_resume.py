"""Training goes on, bit for bit, from wherever it stopped."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from morphobench.errors import InputError
from morphobench.objectives import create
from morphobench.training import Callback, TrainingOptions, TrainingState, train
from morphobench.training.checkpoint.format import FILE_NAME

Toy = Callable[..., Any]
OPTIONS = TrainingOptions(epochs=3, batch_size=8, size_px=8)
STEPS = 3 * 2 * 5


class StopAt(Callback):
    """Ends training at a step, as if something had killed it there."""

    def __init__(self, step: int) -> None:
        self._step = step

    def step(self, state: TrainingState) -> None:
        if state.step == self._step:
            raise RuntimeError("stopped")


class SignalAt(StopAt):
    """Sends this process a signal after a step."""

    def __init__(self, step: int, number: int = signal.SIGINT) -> None:
        super().__init__(step)
        self._number = number

    def step(self, state: TrainingState) -> None:
        if state.step == self._step:
            signal.raise_signal(self._number)


def run(
    objective: Any, data: dict[str, Any], folder: Path | None, *callbacks: Callback, **changed: Any
) -> tuple[Any, dict[str, torch.Tensor]]:
    options = replace(OPTIONS, checkpoint_dir=folder, **changed)
    result = train(objective, **data, setting="aug_multi_crop", options=options, callbacks=callbacks)
    return result, objective.state_dict()


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("prefetch", [False, True])
@pytest.mark.parametrize("stop", [1, 4, 9, 10, 11, 17, 25, 30])
def test_resumed_run_has_the_same_bits(
    toy: Toy, data: dict[str, Any], tmp_path: Path, stop: int, prefetch: bool
) -> None:
    whole, expected = run(toy(), data, None)
    with pytest.raises(RuntimeError, match="stopped"):
        run(toy(), data, tmp_path, StopAt(stop), checkpoint_every_steps=3, prefetch=prefetch)
    resumed, state = run(toy(), data, tmp_path, checkpoint_every_steps=3, prefetch=prefetch)
    assert_same(state, expected)
    assert resumed.resumed_at_step <= stop
    assert stop - resumed.resumed_at_step <= 3
    assert [record.training for record in resumed.history] == [record.training for record in whole.history]


def test_paused_after_an_epoch_it_goes_on(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    whole, expected = run(toy(), data, None)
    for epoch in (1, 1, 2):  # once more for an epoch that is done changes nothing
        paused, _ = run(toy(), data, tmp_path, pause_after_epoch=epoch)
        assert paused.epochs_done == epoch
    last, state = run(toy(), data, tmp_path, pause_after_epoch=9)
    assert_same(state, expected)
    assert last.resumed_at_step == 20
    assert [record.training for record in last.history] == [record.training for record in whole.history]


def test_stopped_again_and_again(
    toy: Toy, data: dict[str, Any], tmp_path: Path, held_out: tuple[Any, Any, Any]
) -> None:
    _, expected = run(toy(), data, None)
    for stop in range(1, STEPS + 1):
        with pytest.raises(RuntimeError, match="stopped"):
            run(toy(), data, tmp_path, StopAt(stop), checkpoint_every_steps=1)
    result, state = run(toy(), data, tmp_path)
    assert_same(state, expected)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert [line["training"] for line in lines] == [record.training for record in result.history]


def test_finished_run_is_not_done_again(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    first, expected = run(toy(), data, tmp_path)
    objective = toy()
    again, state = run(objective, data, tmp_path)
    assert objective.seen == []
    assert_same(state, expected)
    assert again.resumed_at_step == STEPS
    assert replace(again, resumed_at_step=0) == first


def test_early_stopped_run_stays_stopped(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    def trained() -> tuple[Any, Any]:
        objective = toy(protocol="reference-1")
        objective.stops = create("self_supervised", protocol="reference-1", size_px=8).stop_rule
        objective.losses = iter([float(step // 10) for step in range(90)])
        return run(objective, data, tmp_path, epochs=9)[0], objective

    first, _ = trained()
    again, objective = trained()
    assert (first.epochs_done, again.epochs_done, objective.seen) == (3, 3, [])
    assert again.stopped_early


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
@pytest.mark.parametrize("step", [4, 10])
def test_interrupt_saves_then_raises(
    toy: Toy,
    data: dict[str, Any],
    tmp_path: Path,
    held_out: tuple[Any, Any, Any],
    number: int,
    error: type[BaseException],
    step: int,
) -> None:
    _, expected = run(toy(), data, None)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(error):
        run(toy(), data, tmp_path, SignalAt(step, number))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    resumed, state = run(toy(), data, tmp_path)
    assert resumed.resumed_at_step == step
    assert_same(state, expected)


def test_interrupt_without_checkpoints_just_raises(toy: Toy, data: dict[str, Any]) -> None:
    objective = toy()
    with pytest.raises(KeyboardInterrupt):
        run(objective, data, None, SignalAt(4))
    assert len(objective.seen) == 4


def test_second_interrupt_does_not_wait(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(toy(), data, tmp_path, SignalAt(4), SignalAt(4))
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 1}, "seed: 0 there, 1 here"),
        ({"epochs": 4}, "epochs: 3 there, 4 here"),
        ({"batch_size": 4}, "batch_size: 8 there, 4 here"),
        ({"early_stopping": "never"}, "early_stopping: 'protocol' there, 'never' here"),
        ({"data_id": "x"}, "data_id: None there, 'x' here"),
    ],
)
def test_checkpoint_of_other_options_is_refused(
    toy: Toy, data: dict[str, Any], tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    run(toy(), data, tmp_path)
    with pytest.raises(InputError, match=named):
        run(toy(), data, tmp_path, **changed)


def test_checkpoint_of_another_objective_or_data_is_refused(
    toy: Toy, toy_pairs: Toy, data: dict[str, Any], tmp_path: Path
) -> None:
    run(toy(), data, tmp_path)
    with pytest.raises(InputError, match=r"objective\.learning_rate: 0\.05 there, 0\.1 here"):
        run(toy(learning_rate=0.1), data, tmp_path)
    with pytest.raises(InputError, match="paradigm: 'toy' there, 'toy_pairs' here"):
        run(toy_pairs(), data, tmp_path)
    with pytest.raises(InputError, match="labels_digest"):
        run(toy(), {**data, "labels": 1 - data["labels"]}, tmp_path)
    with pytest.raises(InputError, match="images_digest"):
        run(toy(), {**data, "images": 255 - data["images"]}, tmp_path)
    with pytest.raises(InputError, match=r"images: \[22, 1, 8, 8\] there, \[21, 1, 8, 8\] here"):
        run(toy(), {name: value[:21] for name, value in data.items()}, tmp_path)


def test_how_often_and_where_may_change(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stopped"):
        run(toy(), data, tmp_path, StopAt(7), checkpoint_every_steps=2)
    result, _ = run(toy(), data, tmp_path, checkpoint_every_steps=4, checkpoint_every_s=None, threads=1)
    assert result.resumed_at_step == 6
    assert np.isfinite(result.time_per_view_ns)


def test_checkpoint_by_the_clock(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stopped"):
        run(toy(), data, tmp_path, StopAt(7), checkpoint_every_s=0.0)
    assert run(toy(), data, tmp_path)[0].resumed_at_step == 6
