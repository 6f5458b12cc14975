"""Whole runs on tiny data: records, resuming, failures, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from morphobench.augment import SPECS, ViewSpec
from morphobench.data import ImageStore
from morphobench.embeddings import read_embeddings
from morphobench.errors import CheckError, DamagedFileWarning, InputError
from morphobench.measure import IsolatedError, run_isolated
from morphobench.models import load_encoder
from morphobench.report.summary import summarize
from morphobench.run import read_records, run, runner
from morphobench.run.folder import SetupFiles
from morphobench.run.lock import locked
from morphobench.run.prepare import prepare
from morphobench.run.record import read_lines
from tests.run.conftest import tiny_options, tiny_store

KEYS = {
    "setup",
    "kind",
    "protocol",
    "seed",
    "time_per_view_ns",
    "time_per_epoch_s",
    "time_per_image_ns",
    "peak_host_memory_bytes",
    "peak_device_memory_bytes",
    "metrics",
    "environment",
    "profile",
    "notes",
    "split",
    "history",
    "convergence_epoch",
    "weights_sha256",
    "data",
}


@pytest.fixture(scope="module")
def finished(store: ImageStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two setups of different paradigms with two baselines."""
    out = tmp_path_factory.mktemp("run") / "out"
    options = tiny_options(
        setups=["weakly_supervised/no_aug_one_crop", "self_supervised/no_aug_one_crop"],
        baselines=["mean_intensity", "untrained_encoder"],
        epochs=2,
    )
    run(store.path, out, options=options, quiet=True)
    return out


def test_one_record_for_each_baseline_and_setup(finished: Path) -> None:
    records = read_records(finished)
    assert [record.setup for record in records] == [
        "baseline/mean_intensity",
        "baseline/untrained_encoder",
        "weakly_supervised/no_aug_one_crop",
        "self_supervised/no_aug_one_crop",
    ]
    assert all(record.to_json().keys() >= KEYS for record in records)
    assert [record.kind for record in records] == ["baseline", "baseline", "setup", "setup"]
    assert [record.views for record in records[:2]] == [None, None]
    assert ViewSpec.from_description(records[2].views or {}) == SPECS["no_aug_one_crop"]


def test_a_record_says_what_was_done_and_what_it_cost(finished: Path, store: ImageStore) -> None:
    record = read_records(finished)[-2]
    assert (record.time_per_view_ns or 0) > 0
    assert (record.peak_host_memory_bytes or 0) > 50 * 2**20
    assert record.peak_device_memory_bytes is None
    assert record.epochs_done == len(record.history) == 2
    assert record.profile["images"] == 64
    assert {"thinned sweeps", "one seed"} <= set(record.notes)
    assert record.split.grouped_by == "plate"
    assert sum(record.split.images.values()) == 64
    assert record.data.content_sha256 == store.manifest["content_sha256"]
    assert record.environment.threads == 1
    assert 0 <= (record.metrics["classification.roc_auc"] or -1) <= 1


def test_baselines_have_metrics_and_no_cost(finished: Path) -> None:
    record = read_records(finished)[0]
    assert record.time_per_view_ns is None
    assert record.peak_host_memory_bytes is None
    assert (record.metrics["classification.roc_auc"] or 0) > 0.9  # drugs of the tiny store are brighter


def test_undefined_metrics_are_null(finished: Path) -> None:
    text = (finished / "results.jsonl").read_text()
    assert "NaN" not in text
    assert json.loads(text.splitlines()[0])["metrics"].keys()


def test_embeddings_and_weights_of_every_setup_are_kept(finished: Path, store: ImageStore) -> None:
    record = read_records(finished)[-1]
    files = SetupFiles.of(finished, record.setup, 0)
    embeddings, metadata, provenance = read_embeddings(files.embeddings)
    assert embeddings.shape == (64, 2048)
    assert provenance["protocol"] == "corrected-1"
    assert provenance["weights_sha256"] == record.weights_sha256
    assert set(metadata["Metadata_Split"]) == {"train", "validation", "test"}
    assert load_encoder(files.weights) is not None
    assert not list(files.folder.glob("*checkpoint*"))
    assert len((files.folder / "metrics.jsonl").read_text().splitlines()) == 2


def test_setups_start_from_the_untrained_encoder(finished: Path) -> None:
    baseline, trained = read_records(finished)[1:3]
    assert baseline.weights_sha256 != trained.weights_sha256
    untrained, *_ = read_embeddings(SetupFiles.of(finished, baseline.setup, 0).embeddings)
    embeddings, *_ = read_embeddings(SetupFiles.of(finished, trained.setup, 0).embeddings)
    assert np.corrcoef(untrained.ravel(), embeddings.ravel())[0, 1] > 0.9  # two epochs change little


def test_what_is_done_is_not_done_again(
    finished: Path, store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("nothing was left to do")

    monkeypatch.setattr(runner, "run_isolated", refuse)
    monkeypatch.setattr(runner, "evaluated", refuse)
    before = (finished / "results.jsonl").read_bytes()
    options = tiny_options(
        setups=["weakly_supervised/no_aug_one_crop", "self_supervised/no_aug_one_crop"],
        baselines=["mean_intensity", "untrained_encoder"],
        epochs=2,
    )
    assert len(run(store.path, finished, options=options, quiet=True)) == 4
    assert (finished / "results.jsonl").read_bytes() == before


def test_other_options_are_refused_and_change_nothing(finished: Path, store: ImageStore) -> None:
    before = (finished / "results.jsonl").read_bytes()
    with pytest.raises(InputError, match=r"made with other options: .*--epochs 2 there, 3 asked"):
        run(store.path, finished, options=tiny_options(epochs=3), quiet=True)
    assert (finished / "results.jsonl").read_bytes() == before


def test_after_a_crash_in_evaluation_training_is_not_done_again(
    store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, options = tmp_path / "out", tiny_options()
    with monkeypatch.context() as patch:
        patch.setattr(runner, "evaluated", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(store.path, out, options=options, quiet=True)
    assert not (out / "results.jsonl").exists()
    with monkeypatch.context() as patch:
        patch.setattr(runner, "run_isolated", _interrupt)
        records = run(store.path, out, options=options, quiet=True)
    assert len(records) == 1
    assert (records[0].time_per_view_ns or 0) > 0


def test_a_failed_setup_is_told_and_the_others_go_on(
    store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    options = tiny_options(setups=["weakly_supervised/no_aug_one_crop", "weakly_supervised/aug_one_crop"])

    def fail_first(target: str, kwargs: Any, **further: Any) -> Any:
        if kwargs["job"].setup.setting == "no_aug_one_crop":
            raise IsolatedError("killed by SIGKILL", details="where")
        return run_isolated(target, kwargs, **further)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "run_isolated", fail_first)
        with pytest.raises(CheckError, match=r"1 of 2 failed: weakly_supervised/no_aug_one_crop \(seed 0\)"):
            run(store.path, out, options=options, quiet=True)
    assert [record.setup for record in read_records(out)] == ["weakly_supervised/aug_one_crop"]
    ((_, failure),) = read_lines(out / "failures.jsonl")
    assert (failure["error"], failure["details"]) == ("killed by SIGKILL", "where")
    assert len(run(store.path, out, options=options, quiet=True)) == 2
    assert not (out / "failures.jsonl").exists()


def test_a_torn_line_is_done_again_and_a_broken_one_is_named(store: ImageStore, tmp_path: Path) -> None:
    out, options = tmp_path / "out", tiny_options(setups=["weakly_supervised/aug_one_crop"])
    data = {
        "content_sha256": store.manifest["content_sha256"],
        "images": 64,
        "image_shape": store.images.shape[1:],
    }
    prepare(out, options, data, store=store.path, fresh=False)
    (out / "results.jsonl").write_text('{"setup": "weakly_supervised/aug_one_crop", "protoc')
    with pytest.warns(DamagedFileWarning, match="line 1 was cut off"):
        (record,) = run(store.path, out, options=options, quiet=True)
    assert record.setup == "weakly_supervised/aug_one_crop"
    (out / "results.jsonl").write_text('{"setup": "weakly_supervised/aug_one_crop", "protoc\n')
    with pytest.raises(InputError, match=r"results\.jsonl, line 1 must be JSON"):
        run(store.path, out, options=options, quiet=True)


def test_two_runs_keep_out_of_one_folder(store: ImageStore, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(InputError, match="one is at work in"):
        run(store.path, tmp_path / "out", options=tiny_options(), quiet=True)


def test_images_of_several_channels_and_seeds(tmp_path: Path) -> None:
    store = tiny_store(tmp_path / "store", channels=3)
    records = run(store.path, tmp_path / "out", options=tiny_options(seeds=2), quiet=True)
    assert [record.seed for record in records] == [0, 1]
    assert records[0].weights_sha256 != records[1].weights_sha256
    assert records[0].data.image_shape == (3, 64, 64)


def test_a_paradigm_from_outside_is_run_as_the_others(store: ImageStore, tmp_path: Path) -> None:
    options = tiny_options(objectives=["tests.support.outside:Outside"], setups=["outside/aug_one_crop"])
    (record,) = run(store.path, tmp_path / "out", options=options, quiet=True)
    assert record.setup == "outside/aug_one_crop"
    assert (record.time_per_view_ns or 0) > 0


def test_several_encoders_are_compared_in_one_run(store: ImageStore, tmp_path: Path) -> None:
    encoders = ["study", "small:pool=max+average,channels=8", "resnet18"]
    options = tiny_options(encoders=encoders, images=24, baselines=["mean_intensity", "untrained_encoder"])
    records = run(store.path, tmp_path / "out", options=options, quiet=True)
    names = ["study", "small:channels=8", "small:pool=average,channels=8", "resnet18"]
    assert [record.setup for record in records] == [
        "baseline/mean_intensity",
        *(f"baseline/untrained_encoder@{name}" for name in names),
        *(f"weakly_supervised/no_aug_one_crop@{name}" for name in names),
    ]
    untrained, trained = records[1:5], records[5:]
    assert [record.encoder for record in trained] == names
    assert [record.features for record in trained] == [2048, 128, 128, 512]
    assert [record.features for record in untrained] == [2048, 128, 128, 512]
    assert "4 encoders" in trained[-1].notes
    weights = [record.weights_sha256 for record in untrained]
    assert weights[1] == weights[2]  # they differ in pooling, which has no weights
    assert len({*weights, *(record.weights_sha256 for record in trained)}) == 3 + 4
    table = summarize(records)
    assert [row.label for row in table.setups] == sorted(f"no_aug_one_crop@{name}" for name in names)
    for row in table.setups:
        for key in ("time_per_image_ns", "peak_host_memory_bytes", "classification.roc_auc"):
            assert row.cells[key].value > 0
    again = run(store.path, tmp_path / "out", options=options, quiet=True)
    assert again == records


def test_one_class_is_refused_where_a_setup_needs_both(tmp_path: Path) -> None:
    store = tiny_store(tmp_path / "store", Metadata_ControlType="trt")
    with pytest.raises(InputError, match=r"weakly_supervised/no_aug_one_crop, got only drug"):
        run(store.path, tmp_path / "out", options=tiny_options(), quiet=True)
    options = tiny_options(setups=["unsupervised/no_aug_one_crop"])
    (record,) = run(store.path, tmp_path / "out", options=options, quiet=True)
    assert record.metrics["classification.roc_auc"] is None


def _interrupt(*args: Any, **kwargs: Any) -> None:
    raise KeyboardInterrupt
