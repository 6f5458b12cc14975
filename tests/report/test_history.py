"""History: results of a folder in the order of their dates, with changes, as table and picture."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from morphobench.cli import main
from morphobench.report.history import read_history


def write_benchmarks(folder: Path, times: list[float]) -> None:
    folder.mkdir(parents=True)
    for number, time in enumerate(times):
        extra = {"setup": "unsupervised/aug_one_crop", "relative_time": time}
        extra |= {"relative_time_interval": [math.nan, math.nan]}  # as pytest-benchmark writes it
        content = {
            "datetime": f"2026-11-{number + 1:02d}T10:00:00",
            "commit_info": {"id": f"{number:040x}"[::-1]},
            "benchmarks": [
                {"name": "test_training_step[x]", "stats": {"median": 9.0}, "extra_info": extra},
                {"name": "test_views", "stats": {"median": 0.5}, "extra_info": {}},
            ],
        }
        # the newest has the first name: dates count, not names
        (folder / f"{99 - number}.json").write_text(json.dumps(content))
    (folder / "other.json").write_text("{}")


def test_series_in_the_order_of_dates_with_their_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")  # what stands in a cell in one line
    write_benchmarks(tmp_path / "results", [1.0] * 6 + [1.2] * 6)
    time, wall = read_history(tmp_path / "results")
    assert (time.name, time.figure, time.points) == ("unsupervised/aug_one_crop", "relative_time", (6,))
    assert time.values == (*[1.0] * 6, *[1.2] * 6)
    assert time.levels == pytest.approx([1.0, 1.2])
    assert (wall.name, wall.figure, wall.points) == ("test_views", "wall_time_s", ())
    picture = tmp_path / "history.png"
    assert main(["history", f"{tmp_path}/results", "--out", str(picture), "--changed-only"]) == 0
    shown = capsys.readouterr().out
    assert "600000000: x" in shown
    assert "1.200" in shown
    assert "test_views" not in shown
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_runs_give_costs_and_metrics(tmp_path: Path) -> None:
    for number, value in enumerate((0.8, 0.9)):
        records = [
            {"setup": "a/b", "protocol": "corrected-1", "seed": seed, "relative_time": 2.0,
             "metrics": {"similarity.d": value + seed / 100}, "environment": {"commit": f"{number}" * 40}}
            for seed in range(3)
        ]  # fmt: skip
        (tmp_path / f"{number}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    found = {one.figure: one for one in read_history(tmp_path)}
    assert found["relative_time"].values == (2.0, 2.0)
    assert found["similarity.d"].values == pytest.approx((0.81, 0.91))
    assert found["similarity.d"].commits == ("000000000", "111111111")


def test_a_folder_without_results_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", str(tmp_path)]) == 2
    assert "FOLDER must hold files of pytest-benchmark or of records" in capsys.readouterr().err
    assert main(["history", f"{tmp_path}/none"]) == 2
