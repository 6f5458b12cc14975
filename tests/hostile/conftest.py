"""Counts hostile cases by category; ``nox -s hostile`` runs all of them, the ordinary tests a part."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from morphobench.cli import main
from morphobench.errors import MorphobenchError
from tests.support.commands import arguments_of, make_inputs

WHOLE = os.environ.get("MORPHOBENCH_HOSTILE") == "whole"
LIMIT_S = 120  # for a test; a module may have its own
OUTCOMES = ("right", "rejected", "refused", "wrong", "crash", "hang", "unexplained")
LIBRARY_WORDS = re.compile(r"Traceback|shows where\)|[A-Z]\w+Warning: |invalid literal|, got: *$")
_COUNTS: Counter[tuple[str, str]] = Counter()


class CrashError(Exception):
    """A process ended by a signal that nobody sent."""


class UnexplainedError(Exception):
    """A message in a library's words, or none at all."""


def _category(item: pytest.Item) -> str:
    if item.name.startswith("test_names"):
        return "names"
    return item.module.__name__.rpartition("test_")[2].replace("_", " ")  # type: ignore[attr-defined]


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Say how a case came out, once: right, rejected or refused. What takes too long is a hang."""
    outcomes: list[str] = []

    limit_s = getattr(request.module, "LIMIT_S", LIMIT_S)

    def too_long(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done within {limit_s} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit_s)
    try:
        yield outcomes.append
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    for outcome in outcomes:
        _COUNTS[_category(request.node), outcome] += 1


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command in this process: "right" for exit code 0, "refused" for an error in our own words.

    The error names one of ``names``.
    """

    def show(message: Warning | str, category: type[Warning], *place: Any, **further: Any) -> None:
        sys.stderr.write(f"{category.__name__}: {message}\n")

    def run(*arguments: object, names: tuple[str, ...] = ()) -> str:
        capsys.readouterr()
        with warnings.catch_warnings():  # as a user sees them, not as errors
            warnings.simplefilter("default")
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.showwarning = show
            code = main([*map(str, arguments)])
        said = capsys.readouterr().err
        require_explained(code, said, names)
        return "refused" if code else "right"

    return run


def require_explained(code: int, said: str, names: tuple[str, ...] = ()) -> None:
    """Fail unless a command ended well, or with one line in our own words that names what is wrong.

    Args:
        code: Its exit code.
        said: Its stderr.
        names: Texts of which the error must hold one.

    Raises:
        CrashError: It was ended by a signal.
        UnexplainedError: A message in a library's words.
    """
    if code < 0 or code > 128:
        raise CrashError(f"exit code {code}: {said[-2000:]}")
    if LIBRARY_WORDS.search(said) or code not in (0, 1, 2):
        raise UnexplainedError(f"exit code {code}: {said[-2000:]}")
    if code:
        error = said.strip().splitlines()[-1]
        assert error.startswith("morphobench: error: ")
        assert len(error) < 2_000
        assert not names or any(name in error for name in names), error


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands of tests/support/commands.py read."""
    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder)
    return folder


@pytest.fixture(scope="session")
def finished(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is done."""
    out = tmp_path_factory.mktemp("finished") / "out"
    assert main([*map(str, arguments_of("run", inputs, out.parent))]) == 0
    return out


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Count what failed, by how it failed."""
    outcome: Any = yield
    if not outcome.get_result().failed or call.excinfo is None:
        return
    error = call.excinfo.value
    if isinstance(error, TimeoutError | subprocess.TimeoutExpired):
        kind = "hang"
    elif isinstance(error, CrashError):
        kind = "crash"
    elif isinstance(error, AssertionError | MorphobenchError | pytest.fail.Exception):
        kind = "wrong"
    else:
        kind = "unexplained"
    _COUNTS[_category(item), kind] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of cases by category."""
    if not _COUNTS:
        return
    categories = sorted({category for category, _ in _COUNTS})
    totals = {name: sum(_COUNTS[category, name] for category in categories) for name in OUTCOMES}
    rows = [(category, [_COUNTS[category, name] for name in OUTCOMES]) for category in categories]
    rows.append(("all", list(totals.values())))
    heads = "".join(f"{name:>13}" for name in ("cases", *OUTCOMES))
    terminalreporter.write_line(f"{'hostile':14}{heads}")
    for category, numbers in rows:
        shown = "".join(f"{number:>13}" for number in (sum(numbers), *numbers))
        terminalreporter.write_line(f"{category:14}{shown}")
