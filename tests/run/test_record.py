"""Strict JSON, atomic files, records and their errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.run.record import (
    append_record,
    finished,
    plain,
    read_json,
    read_records,
    sha256,
    write_json,
    write_text,
)

RECORD = {"setup": "unsupervised/aug_one_crop", "protocol": "corrected-1", "seed": 0, "metrics": {"a.b": 1.0}}


def test_undefined_numbers_become_null() -> None:
    value = {"nan": float("nan"), "inf": [np.float32("inf")], "fine": np.float64(1.5)}
    assert plain(value) == {"nan": None, "inf": [None], "fine": 1.5}


def test_numpy_paths_and_containers_become_json() -> None:
    value = {
        1: np.int64(3),
        "t": (Path("a"), True, None),
        "a": np.arange(2),
        "s": {"b", "a"},
        "n": np.bool_(1),
    }
    assert plain(value) == {"1": 3, "t": ["a", True, None], "a": [0, 1], "s": ["a", "b"], "n": True}
    assert json.dumps(plain(value))


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        plain({"a": object()})


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


def test_failed_writing_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"a": 1})
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "\ud800")
    assert read_json(file) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


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
    for read in (read_records, read_json, sha256):
        with pytest.raises(InputError, match=r"absent.*No such file"):
            read(tmp_path / "absent")


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert sha256(tmp_path / "empty").startswith("e3b0c44298fc1c14")
