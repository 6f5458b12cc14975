"""The documentation's paradigm of one's own, from its file outside the package to every table."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from morphobench.cli import main

ROOT = Path(__file__).resolve().parents[2]
SETUP = "rotation/no_aug_one_crop"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rotation.py as the page has it, and a store."""
    path = tmp_path_factory.mktemp("plug_in")
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n# rotation\.py\n(.*?)```", page, re.DOTALL)
    assert found is not None
    (path / "rotation.py").write_text(found[1])
    assert main(["simulate", f"{path}/store", "--images", "128"]) == 0
    for name in ("torch", "umap", "pathlib"):  # only what the command line names is taken from the folder
        (path / f"{name}.py").write_text("raise RuntimeError('a file of the current folder was run')\n")
    return path


def _command(folder: Path, *arguments: str, at: Path | None = None, **more: str) -> str:
    paths = os.pathsep.join([str(ROOT), *more.pop("paths", "").split()])
    # pytest-benchmark takes no times in a process that believes to be one of pytest-xdist's
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=at or folder,
        env={**inherited, "PYTHONPATH": paths, **more},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_in_a_runs_record_and_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--profile smoke --images 96 --batch-size 16 --threads 1 --timing-s 0 --no-baselines --quiet"
    tasks = ["--task", "classification", "--setups", SETUP, "--objective", "rotation:Rotation"]
    _command(folder, "-m", "morphobench", "run", "store", "out", *options.split(), *tasks)
    lines = (folder / "out" / "results.jsonl").read_text().splitlines()
    (record,) = [one for one in map(json.loads, lines) if one["setup"] == SETUP]
    assert record["profile"]["objectives"] == ["rotation:Rotation"]
    assert record["time_per_view_ns"] > 0
    assert record["peak_host_memory_bytes"] > 0
    assert 0 <= record["metrics"]["classification.roc_auc"] <= 1
    assert abs(record["history"][0]["training"]["loss"] - 1.386) < 0.2  # ln 4: four turns to tell apart
    capsys.readouterr()
    assert main(["summarize", f"{folder}/out", "--format", "csv"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(SETUP) for line in table) == 1


def test_in_the_benchmark_of_setups(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-m", "pytest", "benchmarks/test_setups.py", "-q", "-k", "rotation and no_aug_one_crop"]
    timings = folder / "timings.json"
    (folder / "path").mkdir()
    shutil.copy(folder / "rotation.py", folder / "path")
    own = {"MORPHOBENCH_OBJECTIVES": "rotation:Rotation", "paths": str(folder / "path")}
    own["MORPHOBENCH_TIMING_S"] = "0.5"  # whether it is timed, not how well
    _command(folder, *arguments, f"--benchmark-json={timings}", "-p", "no:cacheprovider", at=ROOT, **own)
    (found,) = json.loads(timings.read_text())["benchmarks"]
    assert found["extra_info"]["setup"] == SETUP
    assert found["extra_info"]["time_per_view_ns"] > 0
    capsys.readouterr()
    assert main(["summarize", str(timings)]) == 0
    assert SETUP in capsys.readouterr().out
