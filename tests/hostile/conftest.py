"""Counts hostile cases by category; ``nox -s hostile`` runs all of them, the ordinary tests a part."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

WHOLE = os.environ.get("MORPHOBENCH_HOSTILE") == "whole"
_COUNTS: Counter[tuple[str, str]] = Counter()


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Say how a case of the test's module came out: refused, rejected, right or listed."""
    category = request.module.__name__.rpartition("test_")[2].replace("_", " ")
    outcomes: list[str] = []
    yield outcomes.append
    for outcome in outcomes:
        _COUNTS[category, outcome] += 1


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Count what failed."""
    outcome: Any = yield
    if outcome.get_result().failed:
        _COUNTS[item.module.__name__.rpartition("test_")[2].replace("_", " "), "wrong"] += 1  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of cases by category."""
    if not _COUNTS:
        return
    outcomes = ("right", "rejected", "refused", "wrong")
    terminalreporter.write_line(f"{'hostile cases':24}" + "".join(f"{name:>10}" for name in outcomes))
    for category in sorted({category for category, _ in _COUNTS}):
        numbers = "".join(f"{_COUNTS[category, name]:>10}" for name in outcomes)
        terminalreporter.write_line(f"{category:24}{numbers}")
    totals = [sum(count for (_, name), count in _COUNTS.items() if name == outcome) for outcome in outcomes]
    terminalreporter.write_line(f"{f'all: {sum(totals)}':24}" + "".join(f"{total:>10}" for total in totals))
