"""Killed with SIGKILL at random moments and run again, training ends with the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from morphobench.setups import PARADIGMS

ROOT = Path(__file__).resolve().parents[3]


class Server:
    """kill_server.py, and how to talk to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def train(
        self, paradigm: str, protocol: str, folder: Path, *, kill_after_s: float | None = None
    ) -> float:
        """Train in ``folder``, to the end or until killed; seconds that it took."""
        assert self._process.stdin is not None
        began = time.perf_counter()
        self._process.stdin.write(
            f"{paradigm} {protocol} {folder} {'never' if kill_after_s is None else kill_after_s}\n"
        )
        self._process.stdin.flush()
        status = int(self._read())
        assert status == 0 or (kill_after_s is not None and status == signal.SIGKILL)
        return time.perf_counter() - began


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "support" / "kill_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield Server(process)
        assert process.stdin is not None
        process.stdin.close()


def killed_everywhere(server: Server, folder: Path, *, paradigm: str, protocol: str, moments: int) -> int:
    """How many runs, each killed once and run again, ended with the whole run's result."""
    whole = folder / "whole"
    duration_s = server.train(paradigm, protocol, whole)
    expected = (whole / "result").read_text()
    generator = random.Random(f"{paradigm} {protocol}")
    same = 0
    for moment in range(moments):
        killed = folder / f"killed-{moment}"
        server.train(paradigm, protocol, killed, kill_after_s=generator.uniform(0, duration_s))
        server.train(paradigm, protocol, killed)
        assert not list(killed.glob(".*.partial-*"))
        same += (killed / "result").read_text() == expected
    return same


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_killed_once(server: Server, tmp_path: Path, paradigm: str) -> None:
    same = killed_everywhere(server, tmp_path, paradigm=paradigm, protocol="corrected-1", moments=1)
    assert same == 1


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["corrected-1", "reference-1"])
@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_killed_at_twenty_moments(server: Server, tmp_path: Path, paradigm: str, protocol: str) -> None:
    assert killed_everywhere(server, tmp_path, paradigm=paradigm, protocol=protocol, moments=20) == 20
