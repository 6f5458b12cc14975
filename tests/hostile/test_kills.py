"""Killed anywhere: each command with SIGKILL at random moments, run again, ends as if nothing had happened.

``--kills N`` says how often each command is killed, and how often it is signalled (default 3).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_server import CommandServer
from tests.support.commands import arguments_of, copy_files
from tests.support.killing import complete, contents, start

pytestmark = pytest.mark.slow

COMMANDS = ("simulate", "ingest", "embed", "evaluate", "report", "run")
WHOM = ("group", "parent", "worker")
IN_A_ROW = 5  # kills before the command is let through to its end


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandServer]:
    """Most of a command's time would be imports otherwise, in which nothing can be lost."""
    one = CommandServer(tmp_path_factory.mktemp("server"))
    yield one
    one.close()


def _prepared(command: str, finished: Path, place: Path) -> Path:
    place.mkdir()
    if command == "report":
        copy_files(finished, place / "out")
    return place


def _require_whole(place: Path, expected: dict[str, str], before: dict[str, str]) -> None:
    """No file under its final name is half written: each is as an undisturbed call leaves it."""
    for name, digest in contents(place).items():
        parts = name.split("/")
        if any(".partial-" in part for part in parts) or "checkpoint" in name or name in before:
            continue
        if name.endswith(("results.jsonl", "metrics.jsonl", "failures.jsonl")):
            continue  # they grow; `contents` has read every line of them
        assert expected.get(name) == digest, f"{name} is not as an undisturbed call leaves it"


@pytest.mark.parametrize("command", COMMANDS)
def test_killed_anywhere(
    command: str,
    server: CommandServer,
    inputs: Path,
    finished: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kills, choose = request.config.getoption("--kills"), random.Random(command)
    place = _prepared(command, finished, tmp_path / "undisturbed")
    before = contents(place)
    longest_s = complete(arguments_of(command, inputs, place), server)
    expected = contents(place)
    _prepared(command, finished, tmp_path / "again")
    assert complete(arguments_of(command, inputs, tmp_path / "again"), server) > 0
    assert contents(tmp_path / "again") == expected  # deterministic, so that the comparison says something
    done, ends, whom_killed = 0, 0, dict.fromkeys(WHOM, 0)
    while done < kills:
        place = _prepared(command, finished, tmp_path / f"killed{ends}")
        arguments = arguments_of(command, inputs, place)
        for _ in range(min(IN_A_ROW, kills - done)):
            running = start(arguments, server)
            time.sleep(choose.uniform(0.02, longest_s))
            whom = running.kill(WHOM[done % len(WHOM)], choose)
            code, said = running.wait(300)
            assert code in (-signal.SIGKILL, 0, 1), said
            if whom != "worker" and code == 0:  # it had ended before
                break
            whom_killed[whom] += 1
            done += 1
            if choose.random() < 0.5:  # else the next call begins while workers may still be ending
                running.wait_until_all_are_gone()
                _require_whole(place, expected, before)
        complete(arguments, server)
        ends += 1
        running.wait_until_all_are_gone()
        found = contents(place)
        assert found == expected, {k for k in {*found, *expected} if found.get(k) != expected.get(k)}
    with capsys.disabled():
        told = ", ".join(f"{count} {whom}" for whom, count in whom_killed.items())
        sys.stdout.write(
            f"\nkilled {command}: {done} ({told}); {ends} ended as undisturbed; {longest_s:.1f} s a call\n"
        )


@pytest.mark.parametrize("command", COMMANDS)
def test_signalled_anywhere(
    command: str,
    server: CommandServer,
    inputs: Path,
    finished: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    count, choose = request.config.getoption("--kills"), random.Random(f"signal {command}")
    place = _prepared(command, finished, tmp_path / "undisturbed")
    longest_s = complete(arguments_of(command, inputs, place), server)
    expected, times, codes = contents(place), [], []
    for number in range(count):
        place = _prepared(command, finished, tmp_path / f"signalled{number}")
        running = start(arguments_of(command, inputs, place), server)
        time.sleep(choose.uniform(0.05, longest_s))
        kind, code = ((signal.SIGINT, 130), (signal.SIGTERM, 143))[number % 2]
        sent = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, kind)
        found, said = running.wait(60)
        times.append(time.monotonic() - sent)
        codes.append(code if found == -kind else found)  # the system's own end, when the command was done
        assert codes[-1] in (code, 0), said
        assert codes[-1] == code or contents(place) == expected
        assert "Traceback" not in said
        running.wait_until_all_are_gone()
        if number % IN_A_ROW == 0:
            complete(arguments_of(command, inputs, place), server)
            assert contents(place) == expected
    # the limits of cli/signals.py, and what a busy machine adds
    assert max(times) < (5 if command == "run" else 2) + 3
    with capsys.disabled():
        ended = {code: codes.count(code) for code in sorted(set(codes))}
        shown = f"median {np.median(times):.2f} s, longest {max(times):.2f} s"
        sys.stdout.write(f"\nsignalled {command}: exit codes {json.dumps(ended)}; {shown}\n")
