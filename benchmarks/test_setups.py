"""The training step of each of the 16 setups under identical conditions, each in a living process of its own.

All setups that were chosen are timed together, in interleaved rounds beside a yardstick
(``morphobench.run.cost.timing``); each test then hands its setup's times over to pytest-benchmark, whose
file, ``compare`` and histogram show them. What they lack is in ``extra_info``: the interval of the time per
view, whether it is stable, the time relative to the yardstick, which commits are compared by.

Paradigms of your own join them: MORPHOBENCH_OBJECTIVES=package.module:Class (several: comma-separated).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from morphobench._util.cpu import available_cores
from morphobench.data.store.reader import ImageStore
from morphobench.measure import RoundPlan
from morphobench.objectives.registry import find
from morphobench.run.cost.timing import StepTime, TrainingStep, time_setups
from morphobench.run.job import Job
from morphobench.setups import SETTINGS, SETUPS, Setup
from morphobench.training import TrainingOptions

BATCH_SIZE = 32
PLAN = RoundPlan(rounds=12, most=60, budget_s=float(os.environ.get("MORPHOBENCH_TIMING_S", "90")))
THREADS = available_cores()

OWN = {
    str(find(text).name): text
    for text in os.environ.get("MORPHOBENCH_OBJECTIVES", "").split(",")
    if text.strip()
}
"""Paradigms of the environment variable by name."""
ALL = (*SETUPS, *(Setup(name, setting) for name in OWN for setting in SETTINGS))
PLAUSIBLE = {
    "weakly_supervised": (0.0, 1.5),  # cross-entropy of two classes, ln 2 at the start
    "self_supervised": (0.0, 8.0),  # two terms of 2 - 2 cos
    "unsupervised": (0.0, 1.0),  # binary cross-entropy per pixel, ln 2 at the start
    "regularized": (0.0, 2.5),  # the sum of both
}
CLOCK = [0.0]
"""Seconds of the clock that pytest-benchmark reads here; replayed times move it."""


def replayed() -> float:
    """Read the clock of the replay."""
    return CLOCK[0]


def job_of(setup: Setup, store: ImageStore, *, batch_size: int, threads: int = THREADS) -> Job:
    return Job(
        store=store.path,
        setup=setup,
        objective=OWN.get(setup.paradigm, setup.paradigm),
        encoder="study",
        protocol="corrected-1",
        training=TrainingOptions(
            batch_size=batch_size, threads=threads, data_id=str(store.manifest["content_sha256"])
        ),
        train_rows=np.arange(len(store)),
        validation_rows=np.arange(0),
    )


@pytest.fixture(scope="module")
def timed(request: pytest.FixtureRequest, cells: ImageStore) -> Callable[[Setup], StepTime]:
    """The times of all setups whose tests were chosen, measured together when the first one is asked for."""
    items = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    chosen = [item.callspec.params["setup"] for item in items if hasattr(item, "callspec")]
    found: dict[str, StepTime] = {}

    def time_of(setup: Setup) -> StepTime:
        if not found:
            jobs = {str(one): job_of(one, cells, batch_size=BATCH_SIZE) for one in chosen}
            found.update(time_setups(jobs, PLAN)[0])
        return found[str(setup)]

    return time_of


def assert_plausible(setup: Setup, losses: list[float] | tuple[float, ...], views: int) -> None:
    low, high = PLAUSIBLE.get(setup.paradigm, (-math.inf, math.inf))
    assert losses
    assert all(math.isfinite(loss) and low < loss < high for loss in losses)
    assert views == (5 if setup.setting.endswith("multi_crop") else 1)


@pytest.mark.benchmark(group="training step", timer=replayed)
@pytest.mark.parametrize("setup", ALL, ids=str)
def test_training_step(
    setup: Setup, cells: ImageStore, timed: Callable[[Setup], StepTime], benchmark: BenchmarkFixture
) -> None:
    if benchmark.disabled:
        threads = torch.get_num_threads()
        step = TrainingStep(job=job_of(setup, cells, batch_size=8, threads=1))
        benchmark(step.step)
        torch.set_num_threads(threads)
        assert_plausible(setup, step.losses(), step.views_per_image())
        return
    found = timed(setup)
    seconds: Iterator[float] = iter([ns * BATCH_SIZE / 1e9 for ns in found.rounds_ns])

    def replay() -> None:
        CLOCK[0] += next(seconds)

    benchmark.pedantic(replay, rounds=len(found.rounds_ns))
    assert_plausible(setup, found.losses, found.views_per_image)
    if setup.paradigm == "unsupervised":
        assert found.losses[-1] < found.losses[0]
    benchmark.extra_info.update(
        {
            "setup": str(setup),
            "protocol": "corrected-1",
            "batch_size": BATCH_SIZE,
            "threads": THREADS,
            "views_per_image": found.views_per_image,
            "views_per_s": 1e9 / found.time_ns.value,
            "images_per_s": 1e9 / found.time_ns.value / found.views_per_image,
            "loss_first": found.losses[0],
            "loss_last": found.losses[-1],
            **found.memory,
            **found.record(),
        }
    )
