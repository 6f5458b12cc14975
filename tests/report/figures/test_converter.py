"""Drawing in a process of its own: a signal ends it at once, and the next call works."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import pytest

from morphobench.errors import CheckError
from morphobench.report.figures.converter import convert

SPEC: dict[str, Any] = {
    "data": {"values": [{"x": 1}]},
    "mark": "point",
    "encoding": {"x": {"field": "x", "type": "quantitative"}},
}

# seconds of drawing, even in a process that has drawn before
LONG = SPEC | {"data": {"sequence": {"start": 0, "stop": 300_000, "as": "x"}}}


def test_a_signal_ends_a_call_and_the_next_one_works() -> None:
    pytest.importorskip("vl_convert", reason="figures need the package vl-convert-python")

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            convert("vegalite_to_svg", vl_spec=LONG)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert convert("vegalite_to_svg", vl_spec=SPEC).startswith(b"<svg")


def test_what_it_refuses_is_named() -> None:
    pytest.importorskip("vl_convert", reason="figures need the package vl-convert-python")
    with pytest.raises(CheckError, match=r"svg_to_png must draw the figure, got RuntimeError: .{1,100}$"):
        convert("svg_to_png", svg="no picture")
