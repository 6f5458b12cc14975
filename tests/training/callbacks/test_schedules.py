"""Schedules are functions of the step; clipping bounds what an optimizer sees; all survive a resume."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from morphobench.errors import InputError
from morphobench.training import Callback, TrainingOptions, TrainingState, train
from morphobench.training.callbacks.schedules import EmaSchedule, GradientClipping, LearningRateSchedule

Toy = Callable[..., Any]
OPTIONS = TrainingOptions(epochs=3, batch_size=8, size_px=8)  # 2 steps an epoch, 6 in all


class Seen(Callback):
    """Notes a value before each step, after the callbacks before it have set theirs."""

    def __init__(self, value: Callable[[], float]) -> None:
        self.values: list[float] = []
        self._value = value

    def before_step(self, state: TrainingState) -> None:
        self.values.append(self._value())


def test_learning_rate_warms_up_then_falls(toy: Toy, data: dict[str, Any]) -> None:
    objective = toy()
    schedule = LearningRateSchedule(peak=0.4, warmup_epochs=1, floor=0.1)
    seen = Seen(lambda: objective.optimizers["sgd"].param_groups[0]["lr"])
    train(objective, **data, setting="no_aug_one_crop", options=OPTIONS, callbacks=[schedule, seen])
    falling = [0.1 + 0.3 * (1 + math.cos(math.pi * step / 4)) / 2 for step in range(4)]
    assert seen.values == pytest.approx([0.2, 0.4, *falling])


def test_other_shapes() -> None:
    def rates(**settings: Any) -> list[float]:
        schedule = LearningRateSchedule(peak=1.0, **settings)
        return [schedule.rate(step, steps_per_epoch=2, epochs=2) for step in range(4)]

    assert rates(shape="constant") == [1, 1, 1, 1]
    assert rates(shape="linear", floor=0.2) == pytest.approx([1, 0.8, 0.6, 0.4])
    assert rates(shape="constant", warmup_epochs=9) == pytest.approx([1 / 18, 2 / 18, 3 / 18, 4 / 18])


def test_ema_follows_the_paper(toy: Toy, data: dict[str, Any]) -> None:
    objective = toy()
    objective.ema_decay = 0.5
    seen = Seen(lambda: objective.ema_decay)
    train(
        objective,
        **data,
        setting="no_aug_one_crop",
        options=OPTIONS,
        callbacks=[EmaSchedule(start=0.9), seen],
    )
    assert seen.values == pytest.approx([1 - 0.1 * (math.cos(math.pi * k / 6) + 1) / 2 for k in range(6)])


@pytest.mark.parametrize("max_norm", [1e-3, 1e9])
def test_clipping_bounds_the_gradient_of_each_step(toy: Toy, data: dict[str, Any], max_norm: float) -> None:
    objective = toy()
    norms: list[float] = []

    def note(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())

    class NoteAfterClipping(Callback):
        def start(self, state: TrainingState) -> None:
            objective.optimizers["sgd"].register_step_pre_hook(note)

    clipping = [GradientClipping(max_norm), NoteAfterClipping()]
    train(objective, **data, setting="no_aug_one_crop", options=OPTIONS, callbacks=clipping)
    assert len(norms) == 6
    assert all(norm <= max_norm * 1.00001 for norm in norms)
    assert (norms[0] == pytest.approx(max_norm, rel=1e-3)) is (max_norm < 1)
    for parameter in objective.trained():
        parameter.grad = torch.ones_like(parameter)
    objective.optimizers["sgd"].step()
    assert norms[-1] == pytest.approx(math.sqrt(8 * 8 * 2 + 2))  # clipped no longer


def test_resumed_schedule_continues_its_curve(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    class Stop(Callback):
        def step(self, state: TrainingState) -> None:
            if state.step == 3:
                raise RuntimeError("stopped")

    def run(folder: Path | None, *further: Callback) -> dict[str, torch.Tensor]:
        objective = toy()
        options = TrainingOptions(
            epochs=3, batch_size=8, size_px=8, checkpoint_dir=folder, checkpoint_every_steps=1
        )
        steering = [LearningRateSchedule(peak=0.4, warmup_epochs=1), GradientClipping(0.1), *further]
        train(objective, **data, setting="no_aug_one_crop", options=options, callbacks=steering)
        return objective.state_dict()

    expected = run(None)
    with pytest.raises(RuntimeError, match="stopped"):
        run(tmp_path, Stop())
    resumed = run(tmp_path)
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)


def test_other_steering_is_other_options(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    options = TrainingOptions(epochs=1, batch_size=8, size_px=8, checkpoint_dir=tmp_path)
    setting = "no_aug_one_crop"
    train(toy(), **data, setting=setting, options=options, callbacks=[GradientClipping(1.0)])
    with pytest.raises(
        InputError, match=r"callbacks\.GradientClipping: {'max_norm': 1\.0} there, {.*2\.0} here"
    ):
        train(toy(), **data, setting=setting, options=options, callbacks=[GradientClipping(2.0)])
    with pytest.raises(InputError, match=r"callbacks\.GradientClipping: .* there, 'absent' here"):
        train(toy(), **data, setting=setting, options=options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LearningRateSchedule(peak=0), "peak > 0, got 0.0 and 0"),
        (lambda: LearningRateSchedule(peak=1, floor=2), "0 <= floor <= peak"),
        (lambda: LearningRateSchedule(peak=1, shape="step"), "'cosine', got 'step'"),  # type: ignore[arg-type]
        (lambda: LearningRateSchedule(peak=1, warmup_epochs=-1), "at least 0, got -1"),
        (lambda: EmaSchedule(start=1.5), "must be 0 to 1, got 1.5"),
        (lambda: GradientClipping(0), "above 0, got 0"),
    ],
)
def test_unfit_settings_are_refused(make: Callable[[], Callback], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_what_an_objective_lacks_is_named(toy: Toy, data: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="an objective with ema_decay, got toy"):
        train(toy(), **data, setting="no_aug_one_crop", options=OPTIONS, callbacks=[EmaSchedule()])
