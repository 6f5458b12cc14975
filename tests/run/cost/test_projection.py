"""Predictions of a run: arithmetic by hand, memory beside a real run's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from morphobench.cli import main
from morphobench.data import ImageStore
from morphobench.options import DataOptions
from morphobench.run import run
from morphobench.run.cost import projection
from morphobench.run.data import open_data, seed_data
from morphobench.run.job import training_job
from morphobench.run.progress import RunProgress
from tests.run.conftest import tiny_options


def test_a_prediction_is_times_multiplied_by_numbers(store: ImageStore) -> None:
    options = tiny_options(batch_size=8, epochs=7)
    _, rows, _ = open_data(store.path, options)
    data = seed_data(store, rows, 0, DataOptions())
    job = training_job(options.setups[0], options, store, data, seed=0, checkpoint_dir=Path("unused"))
    trained, validated = len(job.train_rows), len(job.validation_rows)
    found = {
        "batch_s": 0.5,
        "validation_s": 0.25,
        "checkpoint_s": 1.5,
        "embedding_s": 0.125,
        "touched_images": trained + validated - 3,
        "memory": {"peak_host_memory_bytes": 10**9, "peak_device_memory_bytes": None},
    }
    one = projection.projected(job, found, images=64, overhead_s=2.0)
    assert one.epoch_s == (trained // 8) * 0.5 + validated * 0.25 + 1.5
    assert one.training_s == 2.0 + 7 * one.epoch_s
    assert one.embedding_s == 64 * 0.125
    assert one.host_memory_bytes == 10**9 + 3 * 64 * 64

    larger = projection.projected(job, found, times=10.0, images=640, overhead_s=2.0)
    assert larger.epoch_s == (10 * trained // 8) * 0.5 + 10 * validated * 0.25 + 1.5
    assert larger.embedding_s == 640 * 0.125

    whole = projection.Projection((one, one), 3, evaluated=5, evaluation_s=4.0, timing_s=60.0, disk_bytes=1)
    assert whole.training_s == 3 * 2 * (one.training_s + one.embedding_s)
    assert whole.total_s == whole.training_s + 3 * 5 * 4.0 + 60.0
    assert whole.host_memory_bytes == one.host_memory_bytes
    each_s = one.training_s + one.embedding_s
    assert [whole.elapsed_s(n) for n in (1, 4, 6, 100)] == [6 * each_s, 2 * each_s, each_s, each_s]


def test_predicted_memory_is_that_of_the_run(store: ImageStore, tmp_path: Path) -> None:
    options = tiny_options(epochs=2, timing_s=0)
    tried: list[str] = []
    found = projection.project(store.path, options, on_setup=tried.append)
    assert tried == ["weakly_supervised/no_aug_one_crop"]
    (one,) = found.setups
    assert 0 < one.epoch_s < one.training_s < found.total_s
    assert found.evaluated == 1
    assert found.disk_bytes > 64 * 2048 * 4
    (record,) = run(store.path, tmp_path / "out", options=options, quiet=True)
    # peaks of equal processes differ by more than 10 % on a busy machine
    assert record.peak_host_memory_bytes == pytest.approx(one.host_memory_bytes, rel=0.2)


def test_the_command_shows_every_setup_and_the_sum(
    store: ImageStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = projection.SetupProjection("unsupervised/aug_one_crop", 60.0, 3600.0, 0.0, 2**30, None)
    made = projection.Projection((one,), 2, 3, 5.0, 0.0, 2**20)
    monkeypatch.setattr(projection, "project", lambda *given, **named: made)
    assert main(["project", str(store.path), "--setups", "autoencoder/aug_one_crop", "--parallel", "2"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "unsupervised/aug_one_crop 1 min 00 s 1 h 00 min 1.0 GiB" in shown
    assert "is expected to take 2 h 00 min on this machine" in shown
    assert "5 s for each of 6 evaluations" in shown
    assert "With 2 machines or GPUs like this one, training and embedding take 1 h 00 min" in shown


def test_the_time_left_follows_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with RunProgress(3, quiet=True) as shown:
        assert shown.seconds_left() is None
        shown.expect({"a": 10.0, "b": 20.0})
        assert shown.seconds_left() == 30.0
        shown.begin("baseline")
        now[0] += 5
        shown.end()
        shown.begin("a")
        now[0] += 4
        assert shown.seconds_left() == 26.0
        now[0] += 16
        shown.end()  # it took 10 s more than expected
        shown.begin("b")
        assert shown.seconds_left() == 30.0
        now[0] += 50
        assert shown.seconds_left() == 0.0


def test_the_timing_of_all_setups_is_no_part_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with RunProgress(2, quiet=True) as shown:
        shown.begin("a")
        now[0] += 300
        shown.expect({"a": 10.0, "b": 20.0})
        assert shown.seconds_left() == 30.0
        now[0] += 12
        shown.end()
        shown.begin("b")
        assert shown.seconds_left() == 22.0
