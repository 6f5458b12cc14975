"""Records: what is written is read again, earlier versions are upgraded, damage is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from morphobench.errors import DamagedFileWarning, InputError
from morphobench.run.record import (
    SCHEMA_VERSION,
    Record,
    append_record,
    read_lines,
    read_records,
    record_schema,
    write_records,
)
from tests.support.report_records import study

ROOT = Path(__file__).resolve().parents[2]
RECORD = {"setup": "unsupervised/aug_one_crop", "protocol": "corrected-1", "seed": 0, "metrics": {"a.b": 1.0}}


def _lines(folder: Path, *lines: str, end: str = "\n") -> Path:
    file = folder / "results.jsonl"
    file.write_text("\n".join(lines) + end, encoding="utf-8")
    return file


def test_records_come_back_and_end_in_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    append_record(file, {**RECORD, "metrics": {"a.b": float("nan")}})
    written = append_record(file, {**RECORD, "seed": 1, "later": {"a": [1]}})
    text = file.read_text()
    assert text.count("\n") == 2
    assert "NaN" not in text
    records = read_records(tmp_path)
    assert records == read_records(file)
    assert records[0].metrics == {"a.b": None}
    assert records[1] == written
    assert records[1].extra == {"later": {"a": [1]}}
    assert [(one.setup, one.seed) for one in records] == [("unsupervised/aug_one_crop", s) for s in (0, 1)]
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]
    before = file.read_bytes()
    write_records(file, records)
    assert file.read_bytes() == before


def test_a_record_is_the_same_in_json_and_back() -> None:
    for record in study(seeds=(0, 1)):
        content = record.to_json()
        assert Record.from_json(json.loads(json.dumps(content))) == record
        assert content["schema_version"] == SCHEMA_VERSION


def test_the_last_record_of_a_setup_and_seed_counts(tmp_path: Path) -> None:
    _lines(
        tmp_path,
        json.dumps(RECORD),
        "",
        json.dumps({**RECORD, "epochs": 7}),
        json.dumps({**RECORD, "seed": 1}),
    )
    assert [(one.seed, one.epochs) for one in read_records(tmp_path)] == [(0, 7), (1, None)]


def test_records_without_a_version_are_upgraded(tmp_path: Path) -> None:
    old = {
        **RECORD,
        "profile": {"profile": "quick", "epochs": 3, "batch_size": 64},
        "setup": "unsupervised/aug_multi_crop@study",
    }
    _lines(tmp_path, json.dumps(old), json.dumps({**RECORD, "setup": "baseline/chance"}))
    upgraded, baseline = read_records(tmp_path)
    assert (upgraded.preset, upgraded.epochs, upgraded.batch_size) == ("quick", 3, 64)
    assert (upgraded.views_per_image, upgraded.kind) == (5, "setup")
    assert (baseline.views_per_image, baseline.kind) == (None, "baseline")
    assert upgraded.schema_version == SCHEMA_VERSION


def test_records_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    _lines(tmp_path, json.dumps({**RECORD, "schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(InputError, match=r"line 1: schema_version must be at most 1, got 2: .*newer"):
        read_records(tmp_path)


@pytest.mark.parametrize("torn", ['{"setup": "unsupervised/aug', '{"a": "\\', "{"])
def test_a_torn_last_line_is_left_out_and_goes_with_the_next_record(tmp_path: Path, torn: str) -> None:
    file = _lines(tmp_path, json.dumps(RECORD), torn, end="")
    with pytest.warns(DamagedFileWarning, match="line 2 was cut off"):
        assert [one.seed for one in read_records(tmp_path)] == [0]
    append_record(file, {**RECORD, "seed": 1})
    assert [one.seed for one in read_records(tmp_path)] == [0, 1]


def test_a_whole_last_line_without_its_line_break_stays(tmp_path: Path) -> None:
    file = _lines(tmp_path, json.dumps(RECORD), end="")
    append_record(file, {**RECORD, "seed": 1})
    assert [one.seed for one in read_records(tmp_path)] == [0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"setup": 1}, "setup must be text, got 1"),
        ({"seed": "x"}, "seed must be a whole number, got text 'x'"),
        ({"seed": True}, "seed must be a whole number, got true"),
        ({"seed": [1]}, "seed must be a whole number, got an array of 1"),
        ({"metrics": []}, "metrics must be an object, got an array of 0"),
        ({"metrics": {"a.b": "high"}}, "metrics.a.b must be a finite number or null, got text 'high'"),
        ({"metrics": {"a.b": 10**400}}, "metrics.a.b must be a finite number or null"),
        ({"intervals": 5}, "intervals must be an object, got 5"),
        ({"intervals": {"a.b": [1]}}, "intervals.a.b must be an array of 2 .*, got an array of 1"),
        ({"interval_reasons": "x"}, "interval_reasons must be an object, got text 'x'"),
        ({"interval_units": [1]}, "interval_units must be an object"),
        ({"history": 5}, "history must be an array"),
        ({"history": [{"training": {}}]}, r"history\[0\] must have epoch, training, got one without epoch"),
        ({"split": [1]}, "split must be an object, got an array of 1"),
        ({"split": {"images": {"train": "many"}}}, "split.images.train must be a whole number"),
        ({"tasks": {"clustering": 3}}, "tasks.clustering must be an object, got 3"),
        ({"warnings": 5}, "warnings must be an array"),
        ({"notes": [5]}, r"notes\[0\] must be text, got 5"),
        ({"kind": "odd"}, "kind must be one of 'setup', 'baseline', 'external', got text 'odd'"),
    ],
)
def test_a_field_of_another_type_is_named_with_file_and_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    file = _lines(tmp_path, json.dumps(RECORD), json.dumps({**RECORD, **change}))
    with pytest.raises(InputError, match=message) as caught:
        read_records(tmp_path)
    assert str(caught.value).startswith(f"{file}, line 2: ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", "line 2 must be JSON, got: Expecting property name"),
        ('{"setup": "a/b", "metrics": {"m": NaN}}', "NaN, which JSON does not have"),
        ("null", "line 2 must be a JSON object, got null"),
        ("[" * 100_000, "brackets nested too deeply"),
        ("9" * 5000, "line 2 must be JSON, got: Exceeds the limit"),
        ('{"setup": "a/b", "protocol": "corrected-1"}', "must have setup, .* got one without seed, metrics"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    _lines(tmp_path, json.dumps(RECORD), line)
    with pytest.raises(InputError, match=message) as caught:
        read_records(tmp_path)
    assert str(tmp_path / "results.jsonl") in str(caught.value)


def test_line_separators_inside_a_text_end_no_line(tmp_path: Path) -> None:
    _lines(tmp_path, json.dumps({**RECORD, "notes": ["a\u2028b\x85c"]}, ensure_ascii=False))
    assert read_records(tmp_path)[0].notes == ("a\u2028b\x85c",)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must be the folder of a run, got one without results\.jsonl"):
        read_records(tmp_path)
    with pytest.raises(InputError, match="absent must be a readable file"):
        read_lines(tmp_path / "absent")


def test_the_published_schema_is_the_records() -> None:
    published = json.loads((ROOT / "docs" / "record.schema.json").read_text("utf-8"))
    assert published == record_schema(), (
        "write docs/record.schema.json anew: python tools/write_record_schema.py"
    )


def test_the_schema_names_every_key_that_is_written() -> None:
    schema = record_schema()
    for record in study():
        assert set(record.to_json()) <= set(schema["properties"])
    assert schema["required"] == ["setup", "protocol", "seed", "metrics"]
    parts = {"Epoch", "SplitInfo", "DataInfo", "TaskInfo", "OwnMetric", "Environment", "FileInfo"}
    assert parts == set(schema["$defs"])


def test_reading_records_needs_no_torch() -> None:
    program = "import sys, morphobench.run.record; print(sorted({'torch', 'pandas'} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
