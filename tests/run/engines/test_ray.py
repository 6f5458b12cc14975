"""Jobs on a real Ray cluster of two node processes on this machine (extra ``ray``)."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from morphobench.errors import InputError
from morphobench.run.engines import RayEngine, Work

ray = pytest.importorskip("ray", reason="ray is not installed (extra: ray)")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
JOBS = "tests.support.engine_jobs"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes with one processor each, and this process as their driver."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        nodes = [made.add_node(num_cpus=1) for _ in range(2)]
        ray.init(address=made.address, log_to_driver=False)
        made.wait_for_nodes()
        yield made, nodes
        ray.shutdown()
        made.shutdown()


def test_every_job_ends_once(cluster: Any, tmp_path: Path) -> None:
    jobs = [Work(str(n), f"{JOBS}:square", {"folder": tmp_path, "number": n}) for n in range(6)]
    jobs.append(Work("bad", f"{JOBS}:refuse", {"folder": tmp_path}))
    finished = list(RayEngine(threads=1).run(jobs, on_message=lambda name, message: None))
    assert sorted(one.work.name for one in finished) == sorted(work.name for work in jobs)
    assert {one.work.name: one.value for one in finished if one.error is None} == {
        str(n): n * n for n in range(6)
    }
    (failed,) = [one for one in finished if one.error is not None]
    assert "nothing to do in" in str(failed.error)


def test_more_threads_than_this_machine_has_are_refused(tmp_path: Path) -> None:
    jobs = [Work("two", f"{JOBS}:square", {"folder": tmp_path, "number": 2})]
    with pytest.raises(InputError, match="must be what this machine has, got 9999 processors and 0 GPUs"):
        list(RayEngine(threads=9999).run(jobs, on_message=lambda name, message: None))
    assert not ray.is_initialized()


def test_lost_workers_and_nodes_are_made_good(cluster: Any, tmp_path: Path) -> None:
    made, nodes = cluster
    jobs = [
        Work(str(n), f"{JOBS}:square", {"folder": tmp_path, "number": n, "seconds": 3.0}) for n in range(4)
    ]

    def kill() -> None:
        while not list(tmp_path.glob("*.starts")):
            time.sleep(0.05)
        first = next(tmp_path.glob("*.starts"))
        os.kill(int(first.read_text().split()[0]), signal.SIGKILL)  # a job's own process
        time.sleep(1.0)
        made.remove_node(nodes[0], allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    finished = list(RayEngine(threads=1).run(jobs, on_message=lambda name, message: None))
    killer.join()
    assert sorted(one.work.name for one in finished) == ["0", "1", "2", "3"]
    lost = [one for one in finished if one.error is not None]
    assert len(lost) <= 1  # the job whose own process was killed is reported, as on one machine
    assert all(one.value == int(one.work.name) ** 2 for one in finished if one.error is None)
