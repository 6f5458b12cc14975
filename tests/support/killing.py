"""Commands as processes that are killed or signalled at random moments, with all that they started."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.command_server import ROOT, CommandServer

_MARK = "MORPHOBENCH_TEST_MARK"
VOLATILE = (
    *("seconds", "_s", "_ns", "_bytes", "created_utc", "environment", "conditions", "manifest_sha256"),
    "resumed_at_step",
)
"""Ends of keys whose values differ between equal calls, or calls that went on from another moment."""


def _environment_of(pid: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path("/proc", pid, "environ").read_bytes()
    return b""


@dataclass
class Running:
    """A command that runs, in a session of its own.

    Attributes:
        pid: Its main process.
        mark: What every process that it starts has in its environment.
        wait: Waits for it, so many seconds; its exit code and what it said.
    """

    pid: int
    mark: str
    wait: Callable[[float], tuple[int, str]]

    def others(self) -> list[int]:
        """Processes that it started and that are still there."""
        wanted = f"{_MARK}={self.mark}".encode()
        pids = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
        found = [int(pid) for pid in pids if wanted in _environment_of(pid)]
        return [pid for pid in found if pid != self.pid]

    def kill(self, whom: str, choose: random.Random) -> str:
        """Send SIGKILL to the whole group, to the parent only, or to one worker only.

        Returns:
            Whom it was sent to: the parent where there is no worker.
        """
        workers = self.others() if whom == "worker" else []
        with contextlib.suppress(ProcessLookupError):
            if workers:
                os.kill(choose.choice(workers), signal.SIGKILL)
                return "worker"
            if whom == "group":
                os.killpg(self.pid, signal.SIGKILL)
                return "group"
            os.kill(self.pid, signal.SIGKILL)
        return "parent"

    def wait_until_all_are_gone(self, limit_s: float = 20.0) -> None:
        """Fail where a process is left behind."""
        until = time.monotonic() + limit_s
        while left := self.others():
            assert time.monotonic() < until, f"processes left behind: {left}"
            time.sleep(0.05)


def start(
    arguments: Sequence[object], server: CommandServer | None = None, *, limit_gib: int | None = None
) -> Running:
    """Start a command of the program.

    Args:
        arguments: Its words.
        server: Where, without the time that its imports take; None: as a process of its own.
        limit_gib: Its address space, in GiB.

    Returns:
        The command.
    """

    def prepare() -> None:
        # a test started in the background would hand an ignored SIGINT down
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if limit_gib is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit_gib << 30, limit_gib << 30))

    mark = uuid.uuid4().hex
    if server is not None:
        return Running(server.start(arguments, {_MARK: mark}), mark, server.wait)
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", _MARK: mark}
    process = subprocess.Popen(
        [sys.executable, "-m", "morphobench", *map(str, arguments)],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=prepare,
    )

    def wait(limit_s: float) -> tuple[int, str]:
        said = process.communicate(timeout=limit_s)[0]
        return process.returncode, said

    return Running(process.pid, mark, wait)


def complete(arguments: Sequence[object], server: CommandServer | None = None) -> float:
    """Run a command undisturbed; the seconds that it took."""
    started = time.monotonic()
    running = start(arguments, server)
    code, said = running.wait(300)
    assert code == 0, said
    took = time.monotonic() - started
    running.wait_until_all_are_gone()
    return took


def _steady(value: Any) -> Any:
    """Without what differs between equal calls."""
    if isinstance(value, dict):
        return {k: _steady(v) for k, v in value.items() if not k.endswith(VOLATILE)}
    return [_steady(item) for item in value] if isinstance(value, list) else value


def _content(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix in (".json", ".jsonl"):
        lines = data.decode().splitlines() if path.suffix == ".jsonl" else [data.decode()]
        values = [json.dumps(_steady(json.loads(line)), sort_keys=True) for line in lines]
        if (
            path.name == "results.jsonl"
        ):  # a setup whose worker was killed is recorded after those that went on
            values.sort()
        data = "\n".join(values).encode()
    return hashlib.sha256(data).hexdigest()


def contents(folder: Path) -> dict[str, str]:
    """A digest of each file in a folder, of JSON without what differs between equal calls."""
    return {
        path.relative_to(folder).as_posix(): _content(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
