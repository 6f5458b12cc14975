"""The table of ``morphobench evaluate``."""

from __future__ import annotations

import io

import pytest

from morphobench.cli.external import metric_table
from morphobench.evaluation.api import METRICS
from morphobench.report.render.terminal import console


@pytest.mark.parametrize("columns", [80, 120])
def test_what_metrics_say_can_be_read_at_any_width(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    found = {
        "setup": "external/mine",
        "protocol": "corrected-1",
        "images": 96,
        "features": 12,
        "metrics": dict.fromkeys(METRICS, 0.12345),
        "intervals": dict.fromkeys(METRICS, (0.1234, 0.5678)),
    }
    text = io.StringIO()
    console(text).print(metric_table(found))
    lines = text.getvalue().splitlines()
    words = text.getvalue().split()
    assert max(map(len, lines)) <= columns
    assert {word for known in METRICS.values() for word in known.description.split()} <= set(words)
    assert set(METRICS) <= set(words)
    assert sum("0.1235 %" in line for line in lines) == sum(known.unit == "%" for known in METRICS.values())
