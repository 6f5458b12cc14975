"""Comparing benchmark files and runs: ratios, tolerances, refusals."""

from __future__ import annotations

import json
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


def test_ratios_within_the_tolerance_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = _benchmarks(tmp_path / "base.json", {"views": 1.0, "distances": 2.0, "gone": 1.0})
    new = _benchmarks(tmp_path / "new.json", {"views": 1.2, "distances": 1.0, "added": 1.0}, cpu="B")
    assert main(["compare", base, new]) == 0
    shown = capsys.readouterr().out
    assert "x 1.200" in shown
    assert "x 0.500" in shown
    assert "better" in shown
    assert "only in BASE: 1 benchmark(s), benchmarks/gone" in shown
    assert "different machines" in shown


def test_a_slower_benchmark_fails_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = _benchmarks(tmp_path / "base.json", {"views": 1.0, "distances": 2.0})
    new = _benchmarks(tmp_path / "new.json", {"views": 1.3, "distances": 2.0})
    assert main(["compare", base, new]) == 1
    assert "error: 1 of 2 worse than allowed: benchmarks/views" in capsys.readouterr().err
    assert main(["compare", base, new, "--tolerance", "1.4"]) == 0


def test_runs_compare_costs_and_show_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = _records(tmp_path / "base.jsonl", time=1.0, auc=0.9)
    new = _records(tmp_path / "new.jsonl", time=1.1, auc=0.7)
    assert main(["compare", base, new]) == 0
    shown = capsys.readouterr().out
    assert "x 1.100" in shown
    assert "-0.2" in shown
    assert main(["compare", base, new, "--metric-tolerance", "0.1"]) == 1
    assert main(["compare", new, base, "--metric-tolerance", "0.1"]) == 0
    slow = _records(tmp_path / "slow.jsonl", time=2.0, auc=None)
    assert main(["compare", base, slow]) == 1
    assert "time_per_view_ns" in capsys.readouterr().err


def test_protocols_are_never_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = _records(tmp_path / "base.jsonl", time=1.0, auc=0.9)
    new = _records(tmp_path / "new.jsonl", time=1.0, auc=0.9, protocol="reference-1")
    assert main(["compare", base, new]) == 2
    assert "under one protocol wanted, got corrected-1, reference-1" in capsys.readouterr().err


def test_other_conditions_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = _records(tmp_path / "base.jsonl", time=1.0, auc=0.9, data={"content_sha256": "aa"})
    new = _records(tmp_path / "new.jsonl", time=1.0, auc=0.9, data={"content_sha256": "bb"})
    assert main(["compare", base, new]) == 0
    assert "different images: aa and bb" in capsys.readouterr().out


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
