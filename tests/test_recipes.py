"""Recipes fill in options of training; options that are given go before them."""

from __future__ import annotations

import pytest

from morphobench.augment import view_spec
from morphobench.options import TrainingOptions
from morphobench.recipes import RECIPES
from morphobench.run.options import RunOptions
from morphobench.training.callbacks.schedules import LearningRateSchedule, learning_rate_schedule
from morphobench.training.data.views import training_views


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_resolves_to_what_it_says(name: str) -> None:
    options = RunOptions.resolve(recipe=name, device="cpu", threads=1)
    described = {**vars(options), **vars(options.training)}
    for option, value in RECIPES[name].options.items():
        assert described[option] == value
    if name != "study":
        assert any(f"recipe {name}" in note for note in options.notes())


def test_the_study_is_the_default_and_changes_nothing() -> None:
    assert RunOptions.resolve(device="cpu", threads=1) == RunOptions.resolve(
        recipe="study", device="cpu", threads=1
    )
    assert RECIPES["study"].options == {}


def test_given_options_go_before_the_recipe() -> None:
    options = RunOptions.resolve(
        recipe="fast", device="cpu", threads=1, epochs=3, encoders=["study"], learning_rate=1e-4
    )
    assert (options.training.epochs, options.training.learning_rate) == (3, 1e-4)
    assert options.encoders == ("study",)
    assert options.training.batch_size == RECIPES["fast"].options["batch_size"]


def test_orientation_turns_every_view_of_the_setting() -> None:
    plain, turned = TrainingOptions(), TrainingOptions(orientation=True)
    for setting in ("no_aug_one_crop", "aug_multi_crop"):
        spec = view_spec(setting)
        assert training_views(setting, plain) == spec
        for ours, theirs in zip(training_views(setting, turned).groups, spec.groups, strict=True):
            assert (ours.flip, ours.flip_vertical, ours.quarter_turns) == (0.5, 0.5, True)
            assert (ours.count, ours.scale, ours.blur) == (theirs.count, theirs.scale, theirs.blur)


def test_one_cycle_rises_and_falls() -> None:
    assert learning_rate_schedule(TrainingOptions()) == []
    (schedule,) = learning_rate_schedule(TrainingOptions(schedule="one_cycle", learning_rate=0.01, epochs=10))
    assert isinstance(schedule, LearningRateSchedule)
    rates = [schedule.rate(step, steps_per_epoch=10, epochs=10) for step in range(100)]
    assert max(rates) == rates[29] == rates[30] == 0.01
    assert rates[:30] == sorted(rates[:30])
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[0] == pytest.approx(0.01 / 30)
    assert rates[-1] < 1e-5
