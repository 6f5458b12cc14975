"""Timing of training steps: what is counted, what is recorded, which conditions are seen to differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from morphobench.data import ImageStore
from morphobench.measure import RoundPlan
from morphobench.run.timing import StepSpec, TrainingStep, time_setups

ENCODER = 9 * (2 * 64 * 64 * 64 + 3 * (32 * 32 * 64 * 32 + 16 * 16 * 32 * 16 + 16 * 16 * 16 * 8))
"""Multiply-adds of a view's step: forward and both gradients, of the first layer the weights' only."""
DECODER = 3 * (9 * 16 * 16 * 8 * 32 + 4 * 17 * 17 * 32 * 256 + 4 * 33 * 33 * 64 * 256 + 9 * 64 * 64 * 64)
"""Upsampling and convolution is a 2x2 convolution of the small image, one pixel larger, into four phases."""
CLASSIFIER = 3 * (2048 * 256 + 256 * 2)
HEADS = 2 * 3 * (2048 * 2048 + 2048 * 64 + 64 * 2048 + 2048 * 64) + 2 * (2048 * 2048 + 2048 * 64)
"""BYOL's projector and predictor, of two views, and the target's projector, forward only."""
FORWARD = 9 * (64 * 64 * 64 + 32 * 32 * 64 * 32 + 16 * 16 * 32 * 16 + 16 * 16 * 16 * 8)
MULTIPLY_ADDS = {
    "weakly_supervised": ENCODER + CLASSIFIER,
    "self_supervised": 2 * ENCODER + 2 * FORWARD + HEADS,
    "unsupervised": ENCODER + DECODER,
    "regularized": ENCODER + DECODER + CLASSIFIER,
}


def spec_of(store: ImageStore, paradigm: str, setting: str = "no_aug_one_crop", **changes: int) -> StepSpec:
    spec = StepSpec(store.path, setting, paradigm, np.arange(len(store)), "checksum", batch_size=16)
    return replace(spec, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("paradigm", MULTIPLY_ADDS)
def test_multiply_adds_are_those_of_the_algebra(paradigm: str, store: ImageStore) -> None:
    step = TrainingStep(spec=spec_of(store, paradigm))
    assert step.multiply_adds_per_view() == pytest.approx(MULTIPLY_ADDS[paradigm], rel=0.01)


def test_steps_train_on_every_view_of_the_setting(store: ImageStore) -> None:
    step = TrainingStep(spec=spec_of(store, "unsupervised", "aug_multi_crop"))
    for _ in range(step.views_per_image() + 1):
        step.step()
    losses = step.losses()
    assert step.views_per_image() == 5
    assert len(set(losses)) == 6
    assert losses[5] < losses[0]  # the first view again


def test_two_setups_beside_the_yardstick(store: ImageStore) -> None:
    specs = {
        "a": spec_of(store, "weakly_supervised"),
        "b": spec_of(store, "weakly_supervised", "aug_one_crop"),
    }
    times, facts = time_setups(specs, RoundPlan(rounds=6, most=6, turn_s=0.01))
    assert facts["rounds"] == 6
    for name in specs:
        found = times[name].record()
        assert found["time_per_view_ns"] > 0
        assert found["cpu_ns_per_view"] > 0
        assert found["conditions"]["batch_size"] == 16
        assert found["conditions"]["threads"] == 1
        assert len(found["conditions"]["order_sha256"]) == 64
        assert found["multiply_adds_per_view"] == pytest.approx(67.3e6, rel=0.02)
        assert 0 < found["share_of_machine_limit"] < 2
        assert found["stable"] is (found["unstable_reason"] is None)
        assert len(times[name].rounds_ns) == 6
        assert "conditions" not in times[name].unstable_reason
        memory = times[name].memory
        assert memory["peak_host_memory_bytes"] > memory["host_memory_before_training_bytes"] > 0
        assert memory["host_memory_before_training_bytes"] > memory["host_memory_of_libraries_bytes"] > 0
        assert len(times[name].losses) > 6


def test_other_conditions_make_a_time_unstable(store: ImageStore) -> None:
    specs = {name: spec_of(store, "weakly_supervised") for name in "abc"}
    specs["b"] = replace(specs["b"], threads=2)
    times, _ = time_setups(specs, RoundPlan(rounds=1, most=1))
    assert times["b"].unstable_reason == "conditions differ: threads must be 1, got 2"
    assert times["a"].unstable_reason == "1 rounds, at least 6 needed for an interval"
    assert not times["b"].record()["stable"]
