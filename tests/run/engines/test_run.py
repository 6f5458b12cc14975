"""A run gives the same weights and records whichever engine trains."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from morphobench.run.folder import SetupFiles
from morphobench.run.runner import run
from tests.run.conftest import tiny_options, tiny_store
from tests.run.engines.test_slurm import cluster_answers, running_jobs

SETUPS = ["weakly_supervised/no_aug_one_crop", "unsupervised/aug_one_crop"]


def _run(tmp_path: Path, engine: str, **changes: Any) -> list[dict[str, Any]]:
    options = tiny_options(**{"setups": SETUPS, "engine": engine, **changes})
    return [
        record if isinstance(record, dict) else record.__dict__
        for record in run(tmp_path / "store", tmp_path / engine, options=options, quiet=True)
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("engine", ["ray", "slurm"])
def test_weights_are_those_of_this_machine(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip({"ray": "ray", "slurm": "submitit"}[engine])
    if engine == "slurm" and not cluster_answers():
        pytest.skip("no Slurm cluster answers here")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    tiny_store(tmp_path / "store")
    here, there = _run(tmp_path, "local"), _run(tmp_path, engine)
    key = {record["setup"]: record["weights_sha256"] for record in here}
    assert {record["setup"]: record["weights_sha256"] for record in there} == key
    assert len(there) == len(SETUPS)
    again = _run(tmp_path, engine)  # nothing is left to do
    assert [record["weights_sha256"] for record in again] == [record["weights_sha256"] for record in there]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_preempted_training_goes_on_from_its_checkpoint_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    if not cluster_answers():
        pytest.skip("no Slurm cluster answers here")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    tiny_store(tmp_path / "store")
    (setup,) = chosen = SETUPS[:1]
    files = SetupFiles.of(tmp_path / "slurm", setup, 0)

    def preempt() -> None:
        while not files.folder.exists():
            time.sleep(0.1)
        time.sleep(3)
        (number,) = running_jobs()
        subprocess.run(["scontrol", "requeue", number], check=True)  # SIGTERM to all its processes

    (here,) = _run(tmp_path, "local", setups=chosen, epochs=200)
    preempting = threading.Thread(target=preempt)
    preempting.start()
    (there,) = _run(tmp_path, "slurm", setups=chosen, epochs=200)
    preempting.join()
    assert there["weights_sha256"] == here["weights_sha256"]
    assert json.loads(files.outcome.read_text())["training"]["resumed_at_step"] > 0
