"""Jobs of a real Slurm array, where a cluster is at hand (extra ``slurm``)."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from morphobench.errors import InputError
from morphobench.run.engines import SlurmEngine, Work

pytest.importorskip("submitit", reason="submitit is not installed (extra: slurm)")


def cluster_answers() -> bool:
    if shutil.which("sinfo") is None:
        return False
    return subprocess.run(["sinfo"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not cluster_answers(), reason="no Slurm cluster answers here"),
]
JOBS = "tests.support.engine_jobs"


def running_jobs() -> list[str]:
    listed = subprocess.run(
        ["squeue", "--noheader", "--array", "--format", "%i %t"], capture_output=True, text=True, check=True
    )
    return [line.split()[0] for line in listed.stdout.splitlines() if line.split()[1] == "R"]


def test_every_job_ends_once(tmp_path: Path) -> None:
    jobs = [Work(str(n), f"{JOBS}:square", {"folder": tmp_path, "number": n}) for n in range(3)]
    jobs.append(Work("bad", f"{JOBS}:refuse", {"folder": tmp_path}))
    engine = SlurmEngine(tmp_path / "slurm", threads=1, time_min=5)
    finished = list(engine.run(jobs, on_message=lambda name, message: None))
    assert {one.work.name: one.value for one in finished} == {"0": 0, "1": 1, "2": 4, "bad": None}
    assert "nothing to do in" in str(next(one.error for one in finished if one.work.name == "bad"))


def test_a_requeued_job_resumes_and_a_cancelled_one_is_reported(tmp_path: Path) -> None:
    resumed, cancelled = tmp_path / "resumed", tmp_path / "cancelled"
    for folder in (resumed, cancelled):
        folder.mkdir()
    jobs = [
        Work("resumed", f"{JOBS}:resume", {"folder": resumed, "steps": 12, "seconds": 1.0}),
        Work("cancelled", f"{JOBS}:resume", {"folder": cancelled, "steps": 600, "seconds": 1.0}),
    ]

    def disturb() -> None:
        while not all((folder / "steps").exists() for folder in (resumed, cancelled)):
            time.sleep(0.1)
        first, second = sorted(running_jobs())
        subprocess.run(["scancel", "--signal=USR2", first], check=True)  # as before a preemption
        time.sleep(2)
        subprocess.run(["scancel", second], check=True)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    engine = SlurmEngine(tmp_path / "slurm", threads=1, time_min=5)
    finished = {one.work.name: one for one in engine.run(jobs, on_message=lambda name, message: None)}
    disturber.join()
    assert finished["resumed"].value == [str(number) for number in range(12)]
    assert "ended without a result" in str(finished["cancelled"].error)


def test_a_preempted_job_goes_on_and_is_no_failure(tmp_path: Path) -> None:
    def preempt() -> None:
        while not (tmp_path / "steps").exists():
            time.sleep(0.1)
        (number,) = running_jobs()
        subprocess.run(["scontrol", "requeue", number], check=True)  # SIGTERM to all its processes

    preempting = threading.Thread(target=preempt)
    preempting.start()
    jobs = [Work("preempted", f"{JOBS}:resume", {"folder": tmp_path, "steps": 12, "seconds": 1.0})]
    engine = SlurmEngine(tmp_path / "slurm", threads=1, time_min=5)
    (finished,) = engine.run(jobs, on_message=lambda name, message: None)
    preempting.join()
    assert finished.error is None
    assert finished.value == [str(number) for number in range(12)]


def test_what_the_cluster_does_not_have_is_an_error_with_its_words(tmp_path: Path) -> None:
    jobs = [Work("two", f"{JOBS}:square", {"folder": tmp_path, "number": 2})]
    engine = SlurmEngine(tmp_path / "slurm", threads=1, partition="absent")
    with pytest.raises(InputError, match=r"must be given what the cluster has, got: .*partition"):
        list(engine.run(jobs, on_message=lambda name, message: None))


class _EnoughError(Exception):
    pass


def test_why_jobs_wait_is_told_and_jobs_that_wait_are_cancelled(tmp_path: Path) -> None:
    def note(name: str, message: Mapping[str, Any]) -> None:
        told.append(message["stage"])
        if len(told) == 2:
            raise _EnoughError

    told: list[str] = []
    jobs = [Work("two", f"{JOBS}:square", {"folder": tmp_path, "number": 2})]
    with pytest.raises(_EnoughError):
        list(SlurmEngine(tmp_path / "slurm", threads=4096).run(jobs, on_message=note))
    assert told[1] == "jobs wait in the queue, says Slurm: PartitionConfig"
    listed = subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True)
    assert not listed.stdout.strip()


def test_the_script_can_be_read_before_anything_is_submitted(tmp_path: Path) -> None:
    script = SlurmEngine(tmp_path / "slurm", threads=2, gpus=1, partition="main", time_min=90).write_script()
    text = script.read_text()
    for line in ("--cpus-per-task=2", "--gres=gpu:1", "--partition=main", "--time=90", "--requeue"):
        assert f"#SBATCH {line}" in text
