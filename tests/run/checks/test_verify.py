"""A run's folder checked against itself: whole it passes, each kind of damage is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from morphobench.cli import main
from morphobench.data import ImageStore
from morphobench.run import run
from morphobench.run.checks.verify import verify_run
from morphobench.run.folder import SetupFiles
from morphobench.run.record import append_record, read_records
from tests.run.conftest import tiny_options

SETUP = "weakly_supervised/no_aug_one_crop"


@pytest.fixture(scope="module")
def made(store: ImageStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("verify") / "out"
    run(store.path, out, options=tiny_options(baselines=["mean_intensity"]), quiet=True)
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "out"))


def _wrong(out: Path, **options: object) -> list[str]:
    return [f"{one.what}: {one.wrong}" for one in verify_run(out, **options) if one.wrong]  # type: ignore[arg-type]


def test_a_whole_run_passes_and_its_metrics_come_out_again(made: Path, store: ImageStore) -> None:
    checks = verify_run(made, store=store.path)
    assert [one for one in checks if one.wrong] == []
    assert [one.what for one in checks[-2:]] == ["embeddings", "metrics"]
    assert main(["verify", str(made), "--no-metrics"]) == 0


def test_other_weights_are_seen(out: Path) -> None:
    files = SetupFiles.of(out, SETUP, 0)
    content = bytearray(files.weights.read_bytes())
    content[-1] ^= 1
    files.weights.write_bytes(content)
    assert _wrong(out, metrics=False) == ["weights: the weights differ from their checksum"]
    files.weights.unlink()
    (wrong,) = _wrong(out, metrics=False)
    assert str(files.weights) in wrong


def test_other_embeddings_are_seen(out: Path) -> None:
    file = SetupFiles.of(out, SETUP, 0).embeddings
    table = pq.read_table(file)
    changed = table.to_pandas()
    changed["emb_0000"] += 1
    pq.write_table(table.from_pandas(changed, schema=table.schema, preserve_index=False), file)
    (wrong,) = _wrong(out, metrics=False)
    assert wrong == "embeddings: the file differs from its checksum"
    pq.write_table(table.slice(1), file)
    (wrong,) = _wrong(out, metrics=False)
    assert "the split must be" in wrong
    file.write_bytes(b"no table")
    (wrong,) = _wrong(out, metrics=False)
    assert str(file) in wrong


def test_another_metric_is_seen(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = read_records(out)[0]
    metrics = {**record.metrics, "classification.accuracy": 0.123}
    append_record(out / "results.jsonl", {**record.to_json(), "metrics": metrics})
    (wrong,) = _wrong(out)
    assert wrong.startswith("metrics: classification.accuracy 0.123 recorded, ")
    assert main(["verify", str(out)]) == 1
    assert "checks failed" in capsys.readouterr().err


def test_other_images_are_seen(out: Path, tmp_path: Path, store: ImageStore) -> None:
    images = store.images[:].copy()
    images[0] ^= 1
    columns = [name for name in store.metadata if str(name).startswith("Metadata_")]
    other = ImageStore.create(tmp_path / "other", images, pd.DataFrame(store.metadata[columns]))
    assert _wrong(out, store=other.path, metrics=False) == [
        "images of the store: the run was made from other images"
    ]
