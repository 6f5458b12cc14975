"""SIGINT and SIGTERM: exit codes, in time even where the exception is swallowed, never in mid-import."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEAD = """
import sys, time
from morphobench.cli import program
from morphobench.cli.parser import Command
from morphobench.cli.options import InfoOptions

def ready():
    print("ready", flush=True)

def swallow(options):
    ready()
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

def cleans_up(options):
    ready()
    try:
        time.sleep(60)
    finally:
        print("cleaned", flush=True)

def imports(options):
    ready()
    import slow_to_import

def done(options):
    ready()
    return 0
"""


def ended_by(kind: str, signals: list[int], folder: Path, *, limit_s: float = 2.0) -> tuple[int, str, float]:
    """Exit code, output and seconds from the last signal of a command that does ``kind``."""
    (folder / "slow_to_import.py").write_text(
        "import time\ntry:\n    time.sleep(60)\nfinally:\n    print('no')\n"
    )
    program = f"{LEAD}\nprogram.COMMANDS = (Command('x', 'x', InfoOptions, {kind}, 'x'),)\n"
    program += f"from morphobench.cli import signals\nsignals.LIMIT_S = {limit_s}\n"
    program += "sys.argv = ['morphobench', 'x']\nsys.exit(program.main())\n"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for number in signals:
        time.sleep(0.3)
        process.send_signal(number)
    sent = time.monotonic()
    said = process.communicate(timeout=60)[0]
    return process.returncode, said, time.monotonic() - sent


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_runs_is_cleaned_up(number: int, code: int, tmp_path: Path) -> None:
    found, said, _ = ended_by("cleans_up", [number], tmp_path)
    assert found == code
    assert said.startswith("cleaned\n")
    assert "Traceback" not in said


def test_it_ends_in_time_where_the_exception_is_swallowed(tmp_path: Path) -> None:
    code, said, seconds = ended_by("swallow", [signal.SIGINT], tmp_path)
    assert code == 130
    assert said == "morphobench: interrupted\n"
    assert 1.5 < seconds < 20  # 2 s, and what a busy machine adds


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    code, said, seconds = ended_by("swallow", [signal.SIGTERM, signal.SIGINT], tmp_path, limit_s=60)
    assert code == 130
    assert said == "morphobench: interrupted\n"
    assert seconds < 20


def test_an_import_is_not_broken_off_by_an_exception(tmp_path: Path) -> None:
    code, said, seconds = ended_by("imports", [signal.SIGINT], tmp_path, limit_s=60)
    assert code == 130
    assert said == "morphobench: interrupted\n"
    assert seconds < 20


def test_without_a_signal_nothing_changes(tmp_path: Path) -> None:
    assert ended_by("done", [], tmp_path)[:2] == (0, "")
