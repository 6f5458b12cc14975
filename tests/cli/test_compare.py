"""Comparing benchmark files and runs: ratios, tolerances, refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from morphobench.cli import main


def _benchmarks(path: Path, medians: dict[str, float], *, cpu: str = "A") -> str:
    benchmarks = [
        {"name": name, "fullname": f"benchmarks/{name}", "stats": {"median": median, "iqr": 0.0, "rounds": 3}}
        for name, median in medians.items()
    ]
    content = {"benchmarks": benchmarks, "machine_info": {"cpu": {"brand_raw": cpu, "count": 2}}}
    path.write_text(json.dumps(content))
    return str(path)


def _records(path: Path, *, time: float, auc: float | None, **changes: Any) -> str:
    lines = [
        json.dumps(
            {
                "setup": "unsupervised/aug_one_crop",
                "protocol": "corrected-1",
                "seed": seed,
                "time_per_view_ns": time * (1 + seed),
                "peak_host_memory_bytes": 1000,
                "peak_device_memory_bytes": None,
                "metrics": {"classification.roc_auc": auc},
                **changes,
            }
        )
        for seed in range(3)
    ]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def _timed(path: Path, times: dict[str, float], *, yardstick: int = 1, data: str = "aa") -> str:
    """A file whose times stand beside a yardstick, each with an interval of 2 % to both sides."""
    benchmarks = [
        {
            "name": name,
            "stats": {"median": 1.0},
            "extra_info": {
                "yardstick": yardstick,
                "relative_time": time,
                "relative_time_interval": [0.98 * time, 1.02 * time],
                "peak_host_memory_bytes": 1000,
                "conditions": {"protocol": "corrected-1", "data_sha256": data},
            },
        }
        for name, time in times.items()
    ]
    path.write_text(json.dumps({"benchmarks": benchmarks}))
    return str(path)


def test_times_without_an_interval_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [_timed(tmp_path / f"{time}.json", {"views": time}) for time in (1.0, 1.5)]
    for path in map(Path, paths):
        content = json.loads(path.read_text())
        content["benchmarks"][0]["stats"] |= {"iqr": 0.0, "rounds": 1}
        content["benchmarks"][0]["extra_info"]["relative_time_interval"] = [math.nan, math.nan]
        path.write_text(json.dumps(content))  # with NaN, as pytest-benchmark writes it
    assert main(["compare", *paths]) == 1
    assert "views time" in capsys.readouterr().err
    assert main(["summarize", paths[0]]) == 0
    assert "views" in capsys.readouterr().out


def test_wall_times_without_a_yardstick_are_shown_and_judged_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = _benchmarks(tmp_path / "base.json", {"views": 1.0, "distances": 2.0, "gone": 1.0})
    new = _benchmarks(tmp_path / "new.json", {"views": 1.3, "distances": 1.0, "added": 1.0}, cpu="B")
    assert main(["compare", base, new]) == 0
    shown = capsys.readouterr().out
    for text in ("x 1.300", "x 0.500", "only in BASE: 1 benchmark(s), benchmarks/gone", "different machines"):
        assert text in shown
    assert main(["compare", base, new, "--tolerance", "1.25"]) == 1
    assert "1 of 2 worse than allowed: benchmarks/views wall_time" in capsys.readouterr().err
    assert main(["compare", base, new, "--tolerance", "1.4"]) == 0


def test_a_slower_setup_fails_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = _timed(tmp_path / "base.json", {"a": 1.0, "b": 2.0, "c": 3.0})
    new = _timed(tmp_path / "new.json", {"a": 1.15, "b": 2.02, "c": 3.0})
    assert main(["compare", base, new]) == 1
    captured = capsys.readouterr()
    assert "error: 1 of 6 worse than allowed: a time" in captured.err
    assert "geometric mean of 3 benchmarks: time" in captured.out
    assert main(["compare", base, new, "--changed-only"]) == 1
    assert "5 figures did not change" in capsys.readouterr().out
    assert main(["compare", new, base]) == 0
    assert "better" in capsys.readouterr().out


def test_other_yardsticks_and_data_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = _timed(tmp_path / "base.json", {"a": 1.0})
    assert main(["compare", base, _timed(tmp_path / "new.json", {"a": 9.0}, yardstick=2)]) == 0
    assert "wall_time" in capsys.readouterr().out
    assert main(["compare", base, _timed(tmp_path / "new.json", {"a": 1.0}, data="bb")]) == 2
    assert "must have one and the same data_sha256 of a, got aa and bb" in capsys.readouterr().err


def test_runs_judge_costs_and_quality_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = _records(tmp_path / "base.jsonl", time=1.0, auc=0.9)
    new = _records(tmp_path / "new.jsonl", time=1.0, auc=0.85)
    assert main(["compare", base, new]) == 1
    captured = capsys.readouterr()
    assert "Quality, new - base" in captured.out
    assert "aug_one_crop classification.roc_auc" in captured.err
    assert main(["compare", base, new, "--metric-tolerance", "0.1"]) == 0
    assert main(["compare", new, base]) == 0
    large = _records(tmp_path / "large.jsonl", time=1.0, auc=0.9, peak_host_memory_bytes=1200)
    assert main(["compare", base, large]) == 1
    assert "peak_host_memory_bytes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "reference-1"}, "one and the same protocol, got corrected-1 and reference-1"),
        ({"data": {"content_sha256": "bb"}}, "one and the same data, got None and bb"),
    ],
)
def test_protocols_and_data_are_never_compared(
    changes: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = _records(tmp_path / "base.jsonl", time=1.0, auc=0.9)
    assert main(["compare", base, _records(tmp_path / "new.jsonl", time=1.0, auc=0.9, **changes)]) == 2
    assert message in capsys.readouterr().err


def test_other_machines_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = _records(tmp_path / "base.jsonl", time=1.0, auc=0.9, environment={"cpu": "A"})
    new = _records(tmp_path / "new.jsonl", time=1.0, auc=0.9, environment={"cpu": "B"})
    assert main(["compare", base, new]) == 0
    assert "different machines: A and B" in capsys.readouterr().out


@pytest.mark.parametrize(
    "case", ["absent", "no json", "mixed", "nothing shared", "no benchmarks", "tolerance"]
)
def test_unfit_input_is_refused(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = _benchmarks(tmp_path / "base.json", {"views": 1.0})
    other = tmp_path / "other.json"
    arguments = ["compare", base, str(other)]
    if case == "no json":
        other.write_text("{")
    elif case == "mixed":
        arguments[2] = _records(tmp_path / "r.jsonl", time=1.0, auc=0.5)
    elif case == "nothing shared":
        _benchmarks(other, {"else": 1.0})
    elif case == "no benchmarks":
        other.write_text("[]")
    elif case == "tolerance":
        arguments = ["compare", base, base, "--tolerance", "0.5"]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert "morphobench: error: " in captured.err
    assert "Traceback" not in captured.err
