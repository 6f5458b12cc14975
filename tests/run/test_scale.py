"""Many images: the pipeline stays within its memory, and the page says which sizes were measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.heavy.scale import SIZES, measure, steps, tables
from morphobench.data import ImageStore
from morphobench.data.simulate.design import StudyDesign

LARGEST_BYTES = 3_000_000_000  # the libraries take a third of it
IMAGES, SIZE_PX, BATCH = 100_000, 16, 10_000


@pytest.mark.slow
def test_100_000_images_stay_within_the_memory(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    batches = (
        generator.integers(0, 256, (BATCH, 1, SIZE_PX, SIZE_PX), dtype=np.uint8)
        for _ in range(IMAGES // BATCH)
    )
    design = StudyDesign(seed=0, null=True, cell_lines=21, compounds=31, plates=10)
    metadata = design.metadata(np.arange(IMAGES))
    store = ImageStore.create(tmp_path / "store", batches, metadata)
    found = {one["step"]: one for one in steps(store.path, tmp_path, IMAGES)}
    assert list(found) == ["run", "embed", "evaluate", "audit", "verify"]
    for name, one in found.items():
        assert max(one["peak_bytes"], one["peak_worker_bytes"] or 0) < LARGEST_BYTES, name


def test_a_run_that_was_cut_off_adds_up_and_what_is_done_stays(tmp_path: Path) -> None:
    cut_off = {"step": "run", "seconds": 1000.0, "peak_bytes": 5, "calls": 1, "done": False}
    file = tmp_path / "steps.json"
    file.write_text(json.dumps({"run": cut_off, "audit": cut_off | {"step": "audit"}}), "utf-8")
    run = measure("run", "--version", work=tmp_path)
    audit = measure("audit", "--version", work=tmp_path)
    assert run["seconds"] > 1000
    assert run["calls"] == 2
    assert run["peak_bytes"] > 5
    assert audit["seconds"] < 1000
    assert audit["calls"] == 1
    assert measure("run", "--no-such-option", work=tmp_path) == run
    assert "run" in json.loads(file.read_text("utf-8"))


def test_steps_that_were_not_measured_say_so() -> None:
    step = {"step": "run", "seconds": 90.0, "peak_bytes": 2_500_000_000, "peak_worker_bytes": None}
    part = {
        "setup": "unsupervised/no_aug_one_crop",
        "time_per_epoch_s": 360.0,
        "embedding_time_per_image_ns": 1e6,
        "evaluation_s": 7.0,
    }
    result = {
        "cpu": "a processor",
        "cores": 2,
        "load_average": [1.0, 2.0],
        "run_options": [],
        "steps": [step],
        "parts": [part],
        "epochs": {"unsupervised/no_aug_one_crop": 3600.0},
    }
    text = tables({10_000: result})
    assert "| 10,000 | run | 90.0 s | 2.50 GB |  |" in text
    assert "| 10,000 | unsupervised/no_aug_one_crop | 6.0 min | 10.0 s | 7.0 s |" in text
    assert "| 10,000 | verify | not measured | not measured | not measured |" in text
    for images in set(SIZES) - {10_000}:
        assert f"| {images:,} | all | not measured | not measured | not measured |" in text
    # 50 epochs of an hour; an eighth of that on eight times the cores
    assert "| unsupervised/no_aug_one_crop | 50.0 | 6.2 | " in text
    assert "Not projected yet" in tables({10_000: result | {"epochs": None}})
