"""Cores that a process may use: affinity mask and limits of control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from morphobench._util import cpu


def _group(root: Path, name: str, **files: str) -> None:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file.replace("__", ".")).write_text(text)


def test_the_lowest_limit_of_the_groups_above_holds(tmp_path: Path) -> None:
    process = tmp_path / "cgroup"
    process.write_text("0::/batch/job\n")
    root = tmp_path / "root"
    assert cpu.cgroup_cpu_limit(process=process, root=root) is None
    _group(root, "batch/job", cpu__max="max 100000\n")
    assert cpu.cgroup_cpu_limit(process=process, root=root) is None
    _group(root, "batch", cpu__max="150000 100000\n")
    assert cpu.cgroup_cpu_limit(process=process, root=root) == 1.5
    _group(root, "batch/job", cpu__max="50000 100000\n")
    assert cpu.cgroup_cpu_limit(process=process, root=root) == 0.5


def test_the_first_version_of_control_groups(tmp_path: Path) -> None:
    process = tmp_path / "cgroup"
    process.write_text("5:memory:/x\n4:cpu,cpuacct:/job\n")
    _group(tmp_path, "cpu/job", cpu__cfs_quota_us="300000\n", cpu__cfs_period_us="100000\n")
    _group(tmp_path, "cpu", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")
    assert cpu.cgroup_cpu_limit(process=process, root=tmp_path) == 3.0


def test_no_control_groups(tmp_path: Path) -> None:
    assert cpu.cgroup_cpu_limit(process=tmp_path / "absent", root=tmp_path) is None


@pytest.mark.parametrize(("limit", "cores"), [(None, 3), (0.2, 1), (1.5, 2), (64.0, 3)])
def test_cores(monkeypatch: pytest.MonkeyPatch, limit: float | None, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 4, 5}, raising=False)
    monkeypatch.setattr(cpu, "cgroup_cpu_limit", lambda: limit)
    assert cpu.available_cores() == cores


def test_cores_where_there_is_no_affinity_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr(cpu, "cgroup_cpu_limit", lambda: None)
    assert cpu.available_cores() == 7


def test_idle_threads_sleep_unless_the_user_says_how_they_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", cpu.OPENBLAS_WAIT):
        monkeypatch.delenv(name, raising=False)
    openblas = {cpu.OPENBLAS_WAIT: "4"}
    assert cpu.waiting_without_spinning() == {"OMP_WAIT_POLICY": "PASSIVE", **openblas}
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    assert cpu.waiting_without_spinning() == openblas
    monkeypatch.setenv(cpu.OPENBLAS_WAIT, "20")
    assert cpu.waiting_without_spinning() == {}
