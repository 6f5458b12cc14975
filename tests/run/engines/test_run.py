"""A run gives the same weights and records whichever engine trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from morphobench.run.runner import run
from tests.run.conftest import tiny_options, tiny_store
from tests.run.engines.test_slurm import cluster_answers

SETUPS = ["weakly_supervised/no_aug_one_crop", "unsupervised/aug_one_crop"]


def _run(tmp_path: Path, engine: str) -> list[dict[str, Any]]:
    options = tiny_options(setups=SETUPS, engine=engine)
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
