"""Fixtures that many tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from morphobench._util.cpu import waiting_without_spinning

# before a test imports numpy and torch: tests share the cores with the processes that they start, and with
# each other; a second thread for each small product of matrices then takes more time than it saves
os.environ.update(waiting_without_spinning())
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# as Python does unless told otherwise: each of the many processes would compile the package anew
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--kills``."""
    parser.addoption("--kills", type=int, default=3, help="how often test_kills.py kills each command")


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist keep the order of modules: it would leave long ones of few tests to the end."""
    config.option.loadscopereorder = False


def _shared(name: str) -> Path:
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"no {name} data: ../shared/data/{name} beside this checkout is absent")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """Results of the published study's own program; skips where they are absent."""
    return _shared("golden")


@pytest.fixture(scope="session")
def bbbc021() -> Path:
    """Real cell images; skips where they are absent."""
    return _shared("bbbc021")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped for want of data: among them are those of the published results."""
    skipped = [
        report
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple) and "../shared/data/" in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} tests were skipped because data beside the checkout (../shared/data) are absent"
        )
