"""The command line as its own process: exit codes, Ctrl-C, going on afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from morphobench.cli import program
from morphobench.cli.registry import COMMANDS
from morphobench.errors import CheckError
from morphobench.run import read_records
from tests.run.conftest import tiny_store

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "morphobench", *map(str, arguments)]


def _wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("by", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_an_interrupted_run_leaves_a_valid_out_and_goes_on(
    by: signal.Signals, code: int, tmp_path: Path
) -> None:
    store = tiny_store(tmp_path / "store")
    out = tmp_path / "out"
    arguments = _command(
        *("run", store.path, out, "--profile", "smoke", "--batch-size", "16", "--threads", "1"),
        *("--setups", "weakly_supervised/no_aug_one_crop,weakly_supervised/aug_multi_crop"),
        *("--task", "classification", "--no-baselines", "--epochs", "3", "--timing-s", "0"),
    )
    first = subprocess.Popen(
        arguments, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    metrics = out / "training" / "weakly_supervised__aug_multi_crop__seed0" / "metrics.jsonl"
    _wait_until(lambda: metrics.exists() and metrics.stat().st_size > 0, first)
    os.killpg(first.pid, by) if by == signal.SIGINT else first.send_signal(by)
    _, said = first.communicate(timeout=60)
    assert first.returncode == code, said
    assert "Traceback" not in said
    assert [record.setup for record in read_records(out)] == ["weakly_supervised/no_aug_one_crop"]
    assert not _group_alive(first.pid)
    again = subprocess.run(
        arguments, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120
    )
    assert again.returncode == 0, again.stderr
    assert "1 of 2 were done before" in again.stderr
    assert len(read_records(out)) == 2
    assert len(metrics.read_text().splitlines()) == 3


def _group_alive(group: int) -> bool:
    """Whether a process of the group still runs; the forking server needs a moment to notice."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = subprocess.run(
            ["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True, check=False
        )
        if all(state.startswith("Z") for state in found.stdout.split()):
            return False
        time.sleep(0.1)
    return True


def test_errors_reach_stderr_with_their_exit_code(tmp_path: Path) -> None:
    done = subprocess.run(
        _command("summarize", tmp_path / "absent"),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("morphobench: error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen(
        _command("info"), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said == ""


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (CheckError("2 of 4 failed"), 1, "2 of 4 failed"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "OUT"), 2, "OUT: Permission denied"),
        (RuntimeError("a tensor broke"), 1, "RuntimeError: a tensor broke"),
    ],
)
def test_what_breaks_becomes_one_line(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(chosen: object) -> int:
        raise error

    (info,) = [command for command in COMMANDS if command.name == "info"]
    monkeypatch.setattr(program, "COMMANDS", (replace(info, function=fail),))
    assert program.main(["info"]) == code
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1


def test_the_variable_shows_where_an_error_arose(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(program.TRACEBACK, "1")
    assert program.main(["summarize", "absent"]) == 2
    assert "Traceback" in capsys.readouterr().err
