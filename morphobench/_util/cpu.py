"""The processor: its name, how many cores this process may use, how its threads wait for each other."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path


def available_cores() -> int:
    """Count the cores that this process may use.

    Returns:
        The cores that the affinity mask allows, or fewer where a container's CPU limit (Linux control
        groups) is lower; at least 1.
    """
    # macOS and Windows have no affinity mask in Python
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cgroup_cpu_limit()
    return cores if limit is None else max(1, min(cores, math.ceil(limit)))


def cgroup_cpu_limit(
    *, process: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> float | None:
    """Read the CPU limit that a container or batch system set for this process.

    Args:
        process: the file that names the control groups of the process.
        root: where the control groups are mounted.

    Returns:
        The lowest limit of the process' control groups in cores, such as 1.5; None where there is none.
    """
    try:
        lines = process.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    limits: list[float] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            limits += _limits(_up_from(root, path), "cpu.max", None)
        elif "cpu" in controllers.split(","):
            limits += _limits(_up_from(root / "cpu", path), "cpu.cfs_quota_us", "cpu.cfs_period_us")
    return min(limits, default=None)


OPENBLAS_WAIT = "OPENBLAS_THREAD_TIMEOUT"


def waiting_without_spinning() -> dict[str, str]:
    """Let the threads of a parallel loop sleep while they wait, unless the user has said how they wait.

    By default they spin for milliseconds. Where other programs want the cores as well, they then keep each
    other from the work that they wait for: a training step took seven times as long beside busy programs.
    Those of numpy's OpenBLAS spin for 20 ms after a product, and keep our own threads from what follows it.

    Returns:
        Variables that OpenMP and OpenBLAS read when torch and numpy are imported, but for what the user set.
    """
    chosen = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & set(os.environ)
    openmp = {} if chosen else {"OMP_WAIT_POLICY": "PASSIVE"}
    openblas = {} if OPENBLAS_WAIT in os.environ else {OPENBLAS_WAIT: "4"}  # of 2 to this power cycles
    return openmp | openblas


def _up_from(root: Path, path: str) -> Iterator[Path]:
    """The control group's folder and those above it: each may set a limit."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for count in range(len(parts), -1, -1):
        yield root.joinpath(*parts[:count])


def _limits(folders: Iterator[Path], quota_file: str, period_file: str | None) -> Iterator[float]:
    for folder in folders:
        try:
            fields = (folder / quota_file).read_text(encoding="utf-8").split()
            if period_file is not None:
                fields += (folder / period_file).read_text(encoding="utf-8").split()
            quota, period = float(fields[0]), float(fields[1])
        except (OSError, ValueError, IndexError):  # no such group, or "max": no limit here
            continue
        if quota > 0 and period > 0:
            yield quota / period


def cpu_model() -> str:
    """Name the processor.

    Returns:
        Its name as the system gives it.
    """
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
