"""Predictions of `project` beside runs that are ten times as long as what they were made from.

The calibration trains on a few batches of each setup; the run here takes ten times as many. Time must be
predicted within 15 % and memory within 10 %, for every paradigm. Times mean something on a quiet machine
only; with ``MORPHOBENCH_MEMORY_ONLY=1`` memory alone is judged::

    pytest benchmarks/heavy/projection_accuracy.py -q -s -p no:benchmark
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import morphobench as mb
from morphobench.objectives.registry import names
from morphobench.run import run
from morphobench.run.cost.projection import project
from morphobench.run.options import RunOptions
from morphobench.setups import FURTHER_PARADIGMS, PARADIGMS

BATCH, CALIBRATED, LONGER = 64, 24, 10
TIME, MEMORY = 0.15, 0.10
MEMORY_ONLY = os.environ.get("MORPHOBENCH_MEMORY_ONLY") == "1"


def test_every_paradigm_is_judged() -> None:
    assert set(names()) >= {*PARADIGMS, *FURTHER_PARADIGMS}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("projection") / "cells"
    mb.simulate(path, images=BATCH * CALIBRATED * 2, seed=0)
    return path


@pytest.mark.parametrize("paradigm", [*PARADIGMS, *FURTHER_PARADIGMS])
def test_a_run_ten_times_as_long(
    paradigm: str, store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    options = RunOptions.resolve(
        profile="smoke",
        setups=[f"{paradigm}/aug_one_crop"],
        images=BATCH * CALIBRATED * 2,
        batch_size=BATCH,
        epochs=LONGER,
        tasks=["classification"],
        baselines=[],
        timing_s=0.0,
    )
    (predicted,) = project(store, options).setups
    (record,) = run(store, tmp_path / "out", options=options, quiet=True)
    took_s, memory = record.training_and_embedding_s, record.peak_host_memory_bytes
    assert took_s is not None
    assert memory is not None
    ratio = (predicted.training_s + predicted.embedding_s) / took_s
    memory_ratio = predicted.host_memory_bytes / memory
    request.config.get_terminal_writer().line(
        f"\n{paradigm}: {took_s:.1f} s, predicted {100 * (ratio - 1):+.0f} %; "
        f"{memory / 1e6:.0f} MB, predicted {100 * (memory_ratio - 1):+.1f} %"
    )
    assert abs(memory_ratio - 1) <= MEMORY
    if not MEMORY_ONLY:
        assert abs(ratio - 1) <= TIME
