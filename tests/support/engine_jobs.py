"""Jobs for tests of the engines: they leave files behind, so that it can be seen how often each was done."""

from __future__ import annotations

import os
import time
from pathlib import Path

from morphobench.errors import CheckError


def square(*, folder: Path, number: int, seconds: float = 0.0) -> int:
    """Note the start in ``folder``, take some time, return the square."""
    with (folder / f"{number}.starts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    return number * number


def refuse(*, folder: Path) -> None:
    """Fail."""
    raise RuntimeError(f"nothing to do in {folder.name}")


def fail_a_check(*, folder: Path) -> None:
    """Fail as a training does whose loss is not a number."""
    raise CheckError(f"loss must be finite, got nan in {folder.name}")


def resume(*, folder: Path, steps: int, seconds: float) -> list[str]:
    """Count to ``steps`` with a note of each in a file, continuing where an earlier process was killed."""
    notes = folder / "steps"
    for number in range(len(notes.read_text().split()) if notes.exists() else 0, steps):
        with notes.open("a") as file:
            file.write(f"{number}\n")
        time.sleep(seconds)
    return notes.read_text().split()
