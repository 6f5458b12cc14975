"""Jobs on a Ray cluster (extra ``ray``): a local one, or one that already runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from morphobench._util.extras import load_extra
from morphobench.errors import InputError
from morphobench.run.engines.base import Finished, OnMessage, Work, do

_RETRIES = 5  # of a job whose worker or node was lost; it resumes from its checkpoint


class RayEngine:
    """Does jobs on a Ray cluster; each has its processors and GPU to itself.

    All nodes must see the store and the folder of results under the same path. A job whose worker or node is
    lost is done again elsewhere, from its last checkpoint.

    Args:
        address: Address of a running cluster, such as ``"auto"`` or ``"10.0.0.1:6379"``; None starts one on
            this machine and stops it at the end.
        threads: Processors of each job.
        gpus: GPUs of each job.

    Raises:
        InputError: Ray is not installed.
    """

    def __init__(self, *, address: str | None = None, threads: int, gpus: int = 0) -> None:
        self._ray: Any = load_extra("ray", extra="ray")
        self._address, self._threads, self._gpus = address, threads, gpus

    def run(self, jobs: Sequence[Work], *, on_message: OnMessage) -> Iterator[Finished]:
        """Do as many jobs at a time as the cluster has room for; see `Engine.run`.

        Args:
            jobs: The jobs.
            on_message: Told once when all jobs have been submitted.

        Yields:
            Every job when it has ended.

        Raises:
            InputError: A job needs more than this machine has, where the cluster is of its own.
        """
        ray, started = self._ray, not self._ray.is_initialized()
        if started:
            # "local": without an address Ray joins, or waits for, the cluster that was started here last
            ray.init(address=self._address or "local", log_to_driver=False, include_dashboard=False)
        open_jobs: dict[Any, Work] = {}
        try:
            if not self._fits():
                needed = f"{self._threads} processors and {self._gpus} GPUs"
                if started and self._address is None:
                    raise InputError(f"--threads and --device must be what this machine has, got {needed}")
                # some clusters start larger nodes on demand
                on_message("ray", {"stage": f"jobs wait for a node with {needed}, which the cluster lacks"})
            task = ray.remote(num_cpus=self._threads, num_gpus=self._gpus, max_retries=_RETRIES)(do)
            open_jobs = {task.remote(work): work for work in jobs}
            on_message("ray", {"stage": f"{len(open_jobs)} jobs submitted"})
            while open_jobs:
                (reference,), _ = ray.wait(list(open_jobs))
                work = open_jobs.pop(reference)
                try:
                    yield ray.get(reference)
                except ray.exceptions.RayError as error:
                    lines = str(error).splitlines() or [type(error).__name__]
                    yield Finished(work, error=lines[0], details=str(error))
        finally:
            for reference in open_jobs:
                ray.cancel(reference, force=True)
            if started:
                ray.shutdown()

    def _fits(self) -> bool:
        """Whether a node of the cluster has what one job needs."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return any(node.get("CPU", 0) >= self._threads and node.get("GPU", 0) >= self._gpus for node in nodes)
