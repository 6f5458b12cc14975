"""Timing of training steps: what is counted, what is recorded, which conditions are seen to differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from morphobench.data import ImageStore
from morphobench.measure import RoundPlan, RoundTimes
from morphobench.run import run
from morphobench.run.cost.timing import YARDSTICK, TrainingStep, others_busy, time_setups, timed_once
from morphobench.run.folder import timing_file
from morphobench.run.job import Job
from morphobench.setups import Setup
from morphobench.training import TrainingOptions
from tests.run.conftest import tiny_options

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


def job_of(store: ImageStore, paradigm: str, setting: str = "no_aug_one_crop", *, threads: int = 1) -> Job:
    rows = np.arange(len(store))
    training = TrainingOptions(batch_size=16, threads=threads, data_id="checksum")
    setup = Setup(paradigm, setting)
    return Job(store.path, setup, paradigm, "study", "corrected-1", training, rows, rows[:0])


@pytest.mark.parametrize("paradigm", MULTIPLY_ADDS)
def test_multiply_adds_are_those_of_the_algebra(paradigm: str, store: ImageStore) -> None:
    step = TrainingStep(job=job_of(store, paradigm))
    assert step.multiply_adds_per_view() == pytest.approx(MULTIPLY_ADDS[paradigm], rel=0.01)


def test_steps_train_on_every_view_of_the_setting(store: ImageStore) -> None:
    step = TrainingStep(job=job_of(store, "unsupervised", "aug_multi_crop"))
    for _ in range(step.views_per_image() + 1):
        step.step()
    losses = step.losses()
    assert step.views_per_image() == 5
    assert len(set(losses)) == 6
    assert losses[5] < losses[0]  # the first view again


def test_two_setups_beside_the_yardstick(store: ImageStore) -> None:
    jobs = {
        "a": job_of(store, "weakly_supervised"),
        "b": job_of(store, "weakly_supervised", "aug_one_crop"),
    }
    times, facts = time_setups(jobs, RoundPlan(rounds=6, most=6, turn_s=0.01))
    assert facts["rounds"] == 6
    for name in jobs:
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


@pytest.mark.parametrize(
    ("cpu_ns", "device", "reason"),
    [
        (1.9e6, "cpu", ""),
        (1.2e6, "cpu", "other programs had 40 % of the cores, at most 10 % allowed"),
        (1.2e6, "cuda", ""),
        (None, "cpu", ""),
    ],
    ids=["quiet", "busy", "device", "not measured"],
)
def test_a_busy_machine_is_told_by_the_yardstick(cpu_ns: float | None, device: str, reason: str) -> None:
    turns = ({"wall_ns": 1e6, "cpu_ns": cpu_ns},) * 6
    found = RoundTimes({YARDSTICK: turns}, {YARDSTICK: 1}, {YARDSTICK: 3})
    assert others_busy(found, threads=2, device=device) == reason


def test_other_conditions_make_a_time_unstable(store: ImageStore) -> None:
    jobs = {name: job_of(store, "weakly_supervised") for name in "abc"}
    jobs["b"] = job_of(store, "weakly_supervised", threads=2)
    times, _ = time_setups(jobs, RoundPlan(rounds=1, most=1))
    assert times["b"].unstable_reason == "conditions differ: threads must be 1, got 2"
    assert times["a"].unstable_reason == "1 rounds, at least 6 needed for an interval"
    assert not times["b"].record()["stable"]


def test_a_run_times_its_setups_once_and_keeps_it(store: ImageStore, tmp_path: Path) -> None:
    options = tiny_options(timing_s=0.2, epochs=1)
    (found,) = run(store.path, tmp_path / "out", options=options, quiet=True)
    assert found.time_per_view_interval_ns is not None
    low, high = found.time_per_view_interval_ns
    assert low is not None
    assert high is not None
    assert found.time_per_view_ns is not None
    assert 0 < low <= found.time_per_view_ns <= high
    assert found.stable is (found.unstable_reason is None)
    assert found.conditions is not None
    assert found.conditions["protocol"] == "corrected-1"
    assert found.conditions["data_sha256"] == store.manifest["content_sha256"]
    file = timing_file(tmp_path / "out", 0)
    kept = timed_once(file, {}, RoundPlan())  # reads what is there
    assert kept[found.setup]["time_per_view_ns"] == found.time_per_view_ns


def test_a_setup_that_cannot_be_trained_leaves_times_out(store: ImageStore, tmp_path: Path) -> None:
    jobs = {"a": replace(job_of(store, "weakly_supervised"), objective="nothing")}
    found = timed_once(tmp_path / "timing.json", jobs, RoundPlan())
    assert found["a"]["stable"] is False
    assert found["a"]["unstable_reason"].startswith("not timed in rounds: ")
    assert not (tmp_path / "timing.json").exists()
