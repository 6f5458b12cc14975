"""The summary: one protocol, rows in order, several runs, sorting and filtering; and its files."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest

from morphobench.cli import main
from morphobench.errors import InputError
from morphobench.report.load import load_tables
from morphobench.report.render.markdown import as_csv, as_json, as_markdown
from morphobench.report.summary import load_summary, summarize
from morphobench.run.record import Record, write_records
from tests.support.report_records import KNOWN, record, study


def _run(folder: Path, records: list[Record]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_records(folder / "results.jsonl", records)
    return folder


def test_protocols_are_never_mixed(tmp_path: Path) -> None:
    mixed = [record("unsupervised/aug_one_crop"), record("a/aug_one_crop", protocol="reference-1")]
    with pytest.raises(
        InputError, match=r"'corrected-1' \(unsupervised/aug_one_crop\) and 'reference-1' \(a/aug"
    ):
        summarize(mixed)
    one, other = _run(tmp_path / "one", mixed[:1]), _run(tmp_path / "other", mixed[1:])
    with pytest.raises(InputError, match="must be of one protocol"):
        load_summary([one, other])


def test_a_metric_of_unknown_direction_is_never_called_best() -> None:
    summary = summarize([record("unsupervised/aug_one_crop")], known={})
    assert not any(summary.rows[0].cells[column.key].best for column in summary.metrics)


def test_chance_is_a_baseline_where_metrics_have_a_value_of_chance() -> None:
    summary = summarize(study(), known=KNOWN)
    chance = next(row for row in summary.baselines if row.name == "baseline/chance")
    assert chance.cells["classification.roc_auc"].value == 0.5
    assert math.isnan(chance.cells["clustering.noise"].value)


def test_one_view_and_five_come_from_the_record() -> None:
    odd = record("mine/aug_multi_crop", views_per_image=3, time_per_view_ns=1e6)
    (row,) = summarize([odd], known=KNOWN).setups
    assert row.cells["time_per_image_ns"].value == 3e6


def test_several_runs_stand_in_one_table(tmp_path: Path) -> None:
    one, other = _run(tmp_path / "one", study()), _run(tmp_path / "other", study((1,)))
    summary = load_summary([one, other])
    assert len(summary.rows) == 2 * 19
    assert summary.rows[0].title == "one: weakly_supervised/no_aug_one_crop"
    assert summary.rows[19].title == "other: weakly_supervised/no_aug_one_crop"
    assert [name for name, _ in summary.decisions] == ["one", "other"]
    same = load_summary([one, _run(tmp_path / "deeper" / "one", study())])
    assert len({row.title for row in same.rows}) == 2 * 19, "equal folder names are told apart"


def test_sorting_and_filtering(tmp_path: Path) -> None:
    out = _run(tmp_path / "out", study())
    rows = load_summary([out], sort="similarity.d", patterns=["*/aug_*", "baseline/*"]).rows
    values = [row.cells["similarity.d"].value for row in rows if not row.is_baseline]
    assert values == sorted(values, reverse=True)
    assert len(values) == 8
    times = [
        row.cells["time_per_image_ns"].value for row in load_summary([out], sort="time_per_image_ns").setups
    ]
    assert times == sorted(times)
    short = load_summary([out], sort="roc_auc").rows
    assert short == load_summary([out], sort="classification.roc_auc").rows
    with pytest.raises(InputError, match=r"--sort must be name or one of similarity\.d"):
        load_summary([out], sort="beauty")
    with pytest.raises(InputError, match="--filter must match a setup, got 'none/"):
        load_summary([out], patterns=["none/*"])


def test_csv_and_json_hold_every_number(tmp_path: Path) -> None:
    records = study()
    summary = summarize(records, known=KNOWN)
    rows = list(csv.DictReader(io.StringIO(as_csv(summary))))
    found = {row["setup"]: row for row in rows}
    for one in records:
        assert float(found[one.setup]["similarity.d"]) == pytest.approx(one.metrics["similarity.d"])
    assert found["baseline/mean_intensity"]["time_per_image_ns"] == ""
    content = json.loads(as_json(summary))
    assert content["protocol"] == "corrected-1"
    assert len(content["rows"]) == 19
    low, _ = records[0].intervals["classification.roc_auc"] or (None, None)
    assert content["rows"][0]["values"]["classification.roc_auc"]["low"] == pytest.approx(low)
    assert "Take" in content["decisions"][0]["text"] or "No setup" in content["decisions"][0]["text"]


def test_markdown_has_a_row_a_setup_and_escapes_names() -> None:
    text = as_markdown(summarize([record("mine/<b>a|b*c</b>")], known=KNOWN))
    row = next(line for line in text.splitlines() if line.startswith("| mine/"))
    assert row.startswith(r"| mine/&lt;b>a\|b\*c&lt;/b> |")
    assert " accuracy ↑ " in text


def test_the_command_writes_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = _run(tmp_path / "out", [record("unsupervised/aug_one_crop"), record("baseline/chance")])
    for form, wanted in {
        "table": "unsupervised/",
        "markdown": "| setup |",
        "csv": "setup,",
        "json": "{",
    }.items():
        assert main(["summarize", str(out), "--format", form]) == 0
        assert wanted in capsys.readouterr().out
    assert main(["summarize", str(out), str(out / "results.jsonl")]) == 0
    assert main(["summarize", str(out), "--sort", "name", "--filter", "baseline/*"]) == 0
    assert "unsupervised/aug_one_crop " not in capsys.readouterr().out.partition("baseline/chance ")[2]


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    records = [record("a/b"), record("a/c")]
    folder = tmp_path / "tables" / "a__b__seed0"
    folder.mkdir(parents=True)
    file = folder / "classification.by_cell_line.csv"
    file.write_text("cell_line,roc_auc\nL1,0.5\n", encoding="utf-8")
    found = load_tables(tmp_path, records, name="classification.by_cell_line")
    assert list(found) == [("a/b", 0)]
    for content, message in {
        "": "must be a CSV table",
        "cell_line\nL1\n": "must have a column roc_auc of numbers, got no such column",
        "cell_line,roc_auc\nL1,high\n": "must have a column roc_auc of numbers",
    }.items():
        file.write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=message) as caught:
            load_tables(tmp_path, records, name="classification.by_cell_line")
        assert str(file) in str(caught.value)


def test_an_unstable_time_is_shown_and_never_ranked() -> None:
    fast, slow = "unsupervised/no_aug_one_crop", "unsupervised/aug_one_crop"
    reason = "conditions differ: threads must be 2, got 1"
    records = [
        record(fast, time_per_view_ns=1e6, time_per_image_ns=1e6, stable=False, unstable_reason=reason),
        record(slow, time_per_view_ns=2e6, time_per_image_ns=2e6, stable=True),
    ]
    summary = summarize(records, known=KNOWN)
    best = {row.name: row.cells["time_per_view_ns"].best for row in summary.rows if row.name in (fast, slow)}
    assert best == {fast: False, slow: False}  # nor is the other one, which is slower
    assert f"times not ranked: {fast}: {reason}" in summary.notes
