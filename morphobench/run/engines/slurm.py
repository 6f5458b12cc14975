"""Jobs of a Slurm array (extra ``slurm``), submitted through submitit."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from morphobench._util.extras import load_extra
from morphobench._util.files import write_whole
from morphobench.errors import InputError
from morphobench.measure.fork_server import start_server
from morphobench.run.engines.base import Finished, OnMessage, Work, do

_POLL_S = 2.0
_GONE_AFTER = 5  # polls in which neither the queue nor the result file knows a job
_SAVE_S = 30.0  # for the training step that is being done, and its checkpoint


class _Requeued:
    """A job that Slurm may preempt or stop at its time limit: it is queued again and resumes.

    Training keeps a checkpoint, so doing the same work again continues where it stopped. Slurm sends a signal
    to all processes of a job: training answers SIGTERM with a checkpoint, and this process alone answers
    SIGUSR2, which submitit asks for before the time limit.
    """

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self) -> Finished:
        stopped: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
        start_server(ignored=(signal.SIGTERM, signal.SIGUSR2))
        finished = do(self.work)
        if stopped and finished.error is not None:
            # preempted and queued again, or cancelled: with a result the job would count as failed
            sys.exit(128 + stopped[0])
        return finished

    def checkpoint(self) -> Any:
        """Return what submitit submits again when the job is preempted or out of time."""
        for process in multiprocessing.active_children():
            process.terminate()
            process.join(_SAVE_S)
        return load_extra("submitit.helpers", extra="slurm").DelayedSubmission(_Requeued(self.work))


class SlurmEngine:
    """Does jobs as a Slurm array; each has its processors and GPU to itself.

    All nodes must see the store and the folder of results under the same path.

    Args:
        folder: Where submission scripts, logs and results of the jobs are kept.
        threads: Processors of each job.
        gpus: GPUs of each job.
        partition: Partition; None for the cluster's default.
        time_min: Time limit of each job in minutes. A job that reaches it is queued again and resumes.
        parallel: Largest number of jobs at a time.

    Raises:
        InputError: submitit or Slurm's ``sbatch`` is not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        threads: int,
        gpus: int = 0,
        partition: str | None = None,
        time_min: int = 240,
        parallel: int = 256,
    ) -> None:
        submitit = load_extra("submitit", extra="slurm")
        try:
            self._executor: Any = submitit.SlurmExecutor(folder=folder, max_num_timeout=100)
        except RuntimeError as error:
            raise InputError(
                f"--engine slurm must be used where sbatch is installed, got: {error}"
            ) from error
        self._folder = folder
        self._parameters = {
            "job_name": "morphobench",
            "cpus_per_task": threads,
            "time": time_min,
            "array_parallelism": parallel,
            "additional_parameters": {"requeue": True, "open-mode": "append"},
            **({} if partition is None else {"partition": partition}),
            **({"gres": f"gpu:{gpus}"} if gpus else {}),
        }
        self._executor.update_parameters(**self._parameters)

    def write_script(self) -> Path:
        """Write the submission script without submitting it.

        Returns:
            The script, in the engine's folder.
        """
        command = [sys.executable, "-u", "-m", "submitit.core._submit", str(self._folder)]
        text = self._executor._make_submission_file_text(" ".join(command), "dry_run")
        script = self._folder / "submission_dry_run.sh"
        write_whole(script, text)
        return script

    def run(self, jobs: Sequence[Work], *, on_message: OnMessage) -> Iterator[Finished]:
        """Submit jobs as one array and wait for them; see `Engine.run`.

        Args:
            jobs: The jobs.
            on_message: Told the array's number once it is submitted, and why jobs wait in the queue.

        Yields:
            Every job when it has ended.

        Raises:
            InputError: Slurm refuses the array.
        """
        if not jobs:
            return
        submit = [_Requeued(work) for work in jobs]
        try:
            with self._executor.batch():
                submitted = [self._executor.submit(one) for one in submit]
        except RuntimeError as error:  # submitit's, with what sbatch said
            raise InputError(f"--engine slurm must be given what the cluster has, got: {error}") from error
        open_jobs = dict(
            zip((job.job_id for job in submitted), zip(submitted, jobs, strict=True), strict=True)
        )
        array = submitted[0].job_id.partition("_")[0]
        on_message("slurm", {"stage": f"array {array} of {len(jobs)} jobs submitted"})
        missing = dict.fromkeys(open_jobs, 0)
        told = {"None"}  # the reason of those that run
        try:
            while open_jobs:
                queued = _queued(array)
                for reason in sorted(
                    {*queued.values()} - told
                ):  # some, such as PartitionConfig, last for ever
                    told.add(reason)
                    on_message("slurm", {"stage": f"jobs wait in the queue, says Slurm: {reason}"})
                for key, (job, work) in list(open_jobs.items()):
                    if job.paths.result_pickle.exists():
                        del open_jobs[key]
                        yield _result(job, work)
                        continue
                    # A result can take a moment to appear on a shared disk after its job has left the queue.
                    missing[key] = 0 if key in queued else missing[key] + 1
                    if missing[key] > _GONE_AFTER:
                        del open_jobs[key]
                        log = "".join(job.stderr() or "")[-4000:]
                        yield Finished(work, error=f"Slurm job {key} ended without a result", details=log)
                if open_jobs:
                    time.sleep(_POLL_S)
        finally:
            for job, _ in open_jobs.values():
                job.cancel(check=False)


def _result(job: Any, work: Work) -> Finished:
    failure = job.exception()
    if failure is not None:
        return Finished(work, error=f"Slurm job {job.job_id} failed", details=str(failure))
    done = job.result()
    return Finished(work, done.value, done.error, done.details)


def _queued(array: str) -> dict[str, str]:
    """Why the array's jobs wait, by their numbers, such as ``"12_0"``; "None" of those that run."""
    listed = subprocess.run(  # noqa: S603
        ["squeue", "--noheader", "--array", "--jobs", array, "--format", "%i %r"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,  # an array that has ended is unknown to squeue
    )
    lines = [line.partition(" ") for line in listed.stdout.splitlines()]
    return {number: reason for number, _, reason in lines}
