"""The commands from a folder of nothing to a report, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from morphobench.cli import main
from morphobench.embeddings import read_embeddings
from morphobench.run import read_records

RUN = [
    "--profile",
    "smoke",
    "--images",
    "96",
    "--batch-size",
    "16",
    "--threads",
    "1",
    "--timing-s",
    "0",
    "--quiet",
    "--baselines",
    "chance,mean_intensity,pca_pixels,untrained_encoder",
]
SETUPS = ["--setups", "weakly_supervised/no_aug_one_crop,unsupervised/no_aug_one_crop"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``store`` simulated, ``out`` a run of two setups on it with baselines."""
    path = tmp_path_factory.mktemp("commands")
    assert main(["simulate", f"{path}/store", "--images", "300", "--seed", "1"]) == 0
    arguments = ["run", f"{path}/store", f"{path}/out", *RUN, *SETUPS, "--task", "classification,similarity"]
    assert main(arguments) == 0
    return path


def _error(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    lines = captured.err.strip().splitlines()
    assert lines[-1].startswith("morphobench: error: ")
    return lines[-1]


def test_run_leaves_records_of_setups_and_baselines(folder: Path) -> None:
    names = [record.setup for record in read_records(folder / "out")]
    assert names[-2:] == ["weakly_supervised/no_aug_one_crop", "unsupervised/no_aug_one_crop"]
    assert {"baseline/chance", "baseline/mean_intensity", "baseline/untrained_encoder"} < set(names)


def test_running_again_does_nothing_and_other_options_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "out" / "results.jsonl").read_bytes()
    arguments = ["run", f"{folder}/store", f"{folder}/out", *RUN, *SETUPS]
    assert main([*arguments, "--task", "similarity,classification"]) == 0
    assert main([*arguments, "--epochs", "2", "--protocol", "reference-1"]) == 2
    message = _error(capsys)
    assert "--epochs 1 there, 2 asked" in message
    assert "--protocol corrected-1 there, reference-1 asked" in message
    assert (folder / "out" / "results.jsonl").read_bytes() == before


def test_summarize_shows_every_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summarize", f"{folder}/out"]) == 0
    shown = capsys.readouterr().out
    assert "corrected-1" in shown
    assert main(["summarize", f"{folder}/out/results.jsonl", "--all-metrics"]) == 0
    everything = capsys.readouterr().out
    assert len(everything) > len(shown)
    for text in (shown, everything):
        assert "no_aug_one_crop" in text
        assert "mean_intensity" in text.replace(" ", "_")


def test_report_is_one_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", f"{folder}/out"]) == 0
    assert "report.html" in capsys.readouterr().out
    assert "<html" in (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_a_run_compares_equal_to_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", f"{folder}/out", f"{folder}/out"]) == 0
    assert "x 1.000" in capsys.readouterr().out


def test_embed_and_evaluate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = next((folder / "out" / "weights").glob("weakly*.safetensors"))
    out = folder / "made.parquet"
    arguments = ["embed", f"{folder}/store", "--weights", str(weights), "--out", str(out)]
    assert main(arguments) == 0
    embeddings, _, provenance = read_embeddings(out)
    assert embeddings.shape == (300, 2048)
    assert len(provenance["weights_sha256"]) == 64
    assert "made before" in _run_and_read(arguments, capsys)
    json_file = folder / "metrics.json"
    evaluated = ["evaluate", str(out), "--task", "similarity", "--profile", "smoke", "--json", str(json_file)]
    shown = _run_and_read(evaluated, capsys)
    assert "similarity.d" in shown
    found = json.loads(json_file.read_text())
    assert found["protocol"] == "corrected-1"
    assert any("split by plate" in warning for warning in found["warnings"])
    other = next((folder / "out" / "weights").glob("unsupervised*.safetensors"))
    assert main(["embed", f"{folder}/store", "--weights", str(other), "--out", str(out)]) == 2
    assert "made from other weights_sha256" in _error(capsys)


def test_the_file_that_cannot_be_evaluated_is_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit, unfit = tmp_path / "fit.csv", tmp_path / "unfit.csv"
    made = pd.read_parquet(next((folder / "out" / "embeddings").glob("*.parquet")))
    made.to_csv(fit, index=False)
    made.assign(emb_0000=np.nan).to_csv(unfit, index=False)
    arguments = ["evaluate", str(fit), str(unfit), "--task", "similarity", "--profile", "smoke"]
    assert main(arguments) == 2
    assert f"{unfit}: embeddings must be finite" in _error(capsys)
    made.head(9).to_csv(unfit, index=False)
    assert main(["evaluate", str(unfit), "--into", str(folder / "out")]) == 2
    assert f"{unfit}: all " in _error(capsys)


def _run_and_read(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_ingest_a_folder_of_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    for kind in ("drugs", "controls"):
        (tmp_path / "source" / kind).mkdir(parents=True)
        for number in range(3):
            pixels = generator.integers(0, 256, (80, 90), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "source" / kind / f"{number}.png")
    (tmp_path / "source" / "drugs" / "broken.png").write_bytes(b"no image")
    arguments = ["ingest", f"{tmp_path}/source", f"{tmp_path}/store", "--fit", "crop"]
    shown = _run_and_read(arguments, capsys)
    assert "6 images, 1 x 64 x 64" in shown
    assert "1 not read" in shown
    assert main([*arguments, "--size-px", "32"]) == 2
    assert "size_px" in _error(capsys).replace("-", "_")
    assert main([*arguments, "--size-px", "32", "--fresh"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "absent", "out"], "absent"),
        (["run", "{store}", "{tmp}/o", "--setups", "unsupervized/*"], "matches no setup"),
        (["run", "{store}", "{tmp}/o", "--images", "0"], "--images"),
        (["run", "{store}", "{tmp}/o", "--profile", "huge"], "--profile"),
        (["run", "{store}", "{tmp}/o", "--task", "guessing"], "got 'guessing'"),
        (["run", "{store}"], "OUT"),
        (["simulate", "{tmp}/s", "--images", "many"], "--images must be a whole number, got 'many'"),
        (["simulate", "{tmp}/s"], "--images"),
        (["ingest", "{tmp}/absent", "{tmp}/s"], "absent"),
        (["embed", "{store}", "--weights", "{tmp}/absent.safetensors", "--out", "{tmp}/e.parquet"], "absent"),
        (["evaluate", "{tmp}/absent.parquet"], "absent.parquet"),
        (["evaluate", "{store}/metadata.parquet", "--task", "guessing"], "guessing"),
        (["cost", "{store}", "{tmp}/c", "--budget-min", "0"], "--budget-min must be more than 0"),
        (["summarize", "{tmp}/absent"], "absent"),
        (["recommend", "{tmp}/absent"], "absent must be a run's folder or a file of results, but"),
        (["summarize", "{store}"], "results.jsonl"),
        (["summarize", "{store}/manifest.json"], "benchmark"),
        (["report", "{tmp}"], "results.jsonl"),
        (["compare", "{tmp}/a", "{tmp}/b"], "a does not exist"),
        (["paint"], "invalid choice: 'paint'"),
        (["sumarize"], "did you mean summarize?"),
        ([], "COMMAND"),
    ],
)
def test_bad_usage_and_input_exit_with_2(
    arguments: list[str], message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [text.format(store=folder / "store", tmp=tmp_path) for text in arguments]
    assert main(filled) == 2
    assert message in _error(capsys)


def test_help_and_version_exit_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        "simulate",
        "ingest",
        "run",
        "embed",
        "evaluate",
        "summarize",
        "report",
        "compare",
        "info",
    ):
        assert main([command, "--help"]) == 0
        assert "exit codes" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("morphobench ")


def test_info_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["setups"]) == 16
    assert shown["profiles"]["smoke"]["epochs"] == 1
