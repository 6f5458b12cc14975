"""Two processes are one: the same weights, one writer, and no hang when one of them dies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from morphobench.objectives import create
from morphobench.training import Callback, GradientClipping, TrainingOptions
from morphobench.training.callbacks.gradient_averaging import synchronize_batch_norm
from morphobench.training.runtime.process_group import ProcessGroup, join_group
from morphobench.training.runtime.session import active_callbacks

ROOT = Path(__file__).resolve().parents[3]
WORKER = str(ROOT / "tests" / "support" / "group_worker.py")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
EXACT = ("weakly_supervised/corrected-1", "unsupervised/corrected-1", "regularized/reference-1")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_two_processes_are_one(tmp_path: Path) -> None:
    setups = [*EXACT, "self_supervised/reference-1"]
    alone = python(WORKER, str(tmp_path / "one"), *setups)
    assert alone.returncode == 0, alone.stderr
    together = python(*TORCHRUN, WORKER, str(tmp_path / "two"), *setups)
    assert together.returncode == 0, together.stderr
    for setup in setups:
        one = load_file(tmp_path / "one" / setup / "state-0.safetensors")
        two = [load_file(tmp_path / "two" / setup / f"state-{rank}.safetensors") for rank in range(2)]
        weights = [name for name in one if name.startswith("network.") and "running" not in name]
        assert all(torch.equal(two[0][name], two[1][name]) for name in weights)
        assert torch.equal(two[0]["losses"], two[1]["losses"])
        if setup in EXACT:  # BYOL's BatchNorm sees the part, on a CPU
            for name in (*weights, "losses"):
                assert (one[name] - two[0][name]).abs().max() <= 1e-5 * one[name].abs().max(), name
        names = sorted(
            path.name for path in (tmp_path / "two" / setup).iterdir() if "state-" not in path.name
        )
        assert names == ["checkpoint.safetensors", "metrics.jsonl"]
        lines = (tmp_path / "two" / setup / "metrics.jsonl").read_text().splitlines()
        assert len(lines) == 2  # one writer


@pytest.mark.slow
def test_dead_process_ends_the_job(tmp_path: Path) -> None:
    ended = python(*TORCHRUN, WORKER, str(tmp_path), "unsupervised/die")
    assert ended.returncode == 1
    assert "SIGKILL" in ended.stderr or "Signal 9" in ended.stderr


def test_alone_without_torchrun() -> None:
    group = join_group("cpu")
    assert (group, group.writes, group.shard) == (ProcessGroup(), True, (0, 1))
    assert group.mean({"loss": 2.0}) == {"loss": 2.0}
    group.wait()


def test_only_rank_zero_watches() -> None:
    watcher, steering = Callback(), GradientClipping(1.0)
    assert active_callbacks(ProcessGroup(0, 2), [watcher, steering]) == [watcher, steering]
    assert active_callbacks(ProcessGroup(1, 2), [watcher, steering]) == [steering]


def test_each_process_has_its_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert ProcessGroup(3, 4).place(TrainingOptions(device="cuda")).device == "cuda:3"
    assert ProcessGroup(3, 4).place(TrainingOptions(device="cpu")).device == "cpu"
    assert ProcessGroup().place(TrainingOptions(device="cuda")).device == "cuda"


def test_batch_norm_is_synchronized_in_place() -> None:
    objective = create("self_supervised", size_px=16)
    before = dict(objective.named_parameters())
    state = objective.state_dict()
    synchronize_batch_norm(objective)
    kinds = [type(module) for _, network in objective.networks for module in network.modules()]
    assert torch.nn.SyncBatchNorm in kinds
    assert torch.nn.BatchNorm1d not in kinds
    after = dict(objective.named_parameters())
    assert all(after[name] is before[name] for name in before)  # what the optimizers hold
    assert objective.state_dict().keys() == state.keys()
