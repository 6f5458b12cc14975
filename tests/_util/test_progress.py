"""Progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from morphobench._util.progress import Progress, duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    written = io.StringIO()
    with Progress("reading", 10, done=4, console=Console(file=written, width=300), interval_s=20) as shown:
        before = shown.seconds_left
        now[0] += 10
        shown.update(5)
        assert written.getvalue() == ""
        assert shown.seconds_left == 50
        now[0] += 10
        shown.update(6, detail="[a]\x1b[31m")
        now[0] += 10
        shown.print("a line that stays")
    assert before is None
    assert written.getvalue().splitlines() == [
        "reading: [a]\\x1b[31m, 6/10, 40 s left",
        "a line that stays",
    ]


def test_a_bar_on_a_terminal() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=120)
    with Progress("reading [x]", 10, console=console) as shown:
        shown.update(10, detail="last")
        shown.print("kept")
    assert "reading [x]: last" in written.getvalue()
    assert "10/10" in written.getvalue()
    assert "kept" in written.getvalue()


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("reading", 2, quiet=True, interval_s=0) as shown:
        shown.update(1)
        shown.print("line")
    assert capsys.readouterr() == ("", "")
