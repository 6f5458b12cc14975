"""The training step of each of the 16 setups under identical conditions, each in a process of its own.

Paradigms of your own join them: MORPHOBENCH_OBJECTIVES=package.module:Class (several: comma-separated).
"""

from __future__ import annotations

import math
import os

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from morphobench._util.cpu import available_cores
from morphobench.data.store.reader import ImageStore
from morphobench.measure import Remote
from morphobench.objectives.registry import find
from morphobench.setups import SETTINGS, SETUPS, Setup

BATCH_SIZE = 128
ROUNDS = 5
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


@pytest.mark.parametrize("setup", ALL, ids=str)
def test_training_step(setup: Setup, cells: ImageStore, benchmark: BenchmarkFixture) -> None:
    batch_size = 16 if benchmark.disabled else BATCH_SIZE
    arguments = {
        "setup": str(setup),
        "store": str(cells.path),
        "batch_size": batch_size,
        "threads": THREADS,
        "objective": OWN.get(setup.paradigm),
    }
    with Remote("benchmarks.training_step:TrainingStep", arguments) as remote:
        benchmark.group = "training step"
        benchmark.pedantic(remote.call, args=("step",), rounds=ROUNDS, warmup_rounds=1)
        losses, views = remote.call("history"), remote.call("views_per_image")
        peak = remote.peak_host_memory_bytes()
    low, high = PLAUSIBLE.get(setup.paradigm, (-math.inf, math.inf))
    assert len(losses) == (1 if benchmark.disabled else 1 + ROUNDS)
    assert all(math.isfinite(loss) and low < loss < high for loss in losses)
    assert views == (5 if setup.setting.endswith("multi_crop") else 1)
    if benchmark.disabled:
        return
    if setup.paradigm == "unsupervised":
        assert losses[-1] < losses[0]
    seconds = benchmark.stats.stats.median
    benchmark.extra_info.update(
        {
            "setup": str(setup),
            "protocol": "corrected-1",
            "batch_size": batch_size,
            "threads": THREADS,
            "views_per_image": views,
            "views_per_s": batch_size / seconds,
            "images_per_s": batch_size / seconds / views,
            "time_per_view_ns": seconds / batch_size * 1e9,
            "peak_host_memory_bytes": peak,
            "loss_first": losses[0],
            "loss_last": losses[-1],
        }
    )
