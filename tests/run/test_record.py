"""Records of a run and their errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from morphobench.errors import InputError
from morphobench.run.record import append_record, finished, read_records

RECORD = {"setup": "unsupervised/aug_one_crop", "protocol": "corrected-1", "seed": 0, "metrics": {"a.b": 1.0}}


def test_records_come_back_and_end_in_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    append_record(file, {**RECORD, "metrics": {"a.b": float("nan")}})
    append_record(file, {**RECORD, "seed": 1})
    text = file.read_text()
    assert text.count("\n") == 2
    assert "NaN" not in text
    records = read_records(tmp_path)
    assert records == read_records(file)
    assert records[0]["metrics"] == {"a.b": None}
    assert finished(records) == {("unsupervised/aug_one_crop", 0), ("unsupervised/aug_one_crop", 1)}
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"setup": "unsupervised/aug', "a JSON record wanted"),
        ('{"setup": "a/b", "protocol": "corrected-1", "seed": 0, "metrics": {"m": NaN}}', "NaN"),
        ('{"setup": "a/b", "protocol": "corrected-1"}', "no seed, metrics"),
        ("[1, 2]", "no setup, protocol, seed, metrics"),
    ],
)
def test_broken_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(json.dumps(RECORD) + "\n" + line + "\n")
    with pytest.raises(InputError, match=message) as caught:
        read_records(tmp_path)
    assert f"{file}, line 2:" in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"results\.jsonl wanted, but it has none"):
        read_records(tmp_path)
    with pytest.raises(InputError, match=r"absent.*No such file"):
        read_records(tmp_path / "absent")
