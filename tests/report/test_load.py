"""Records from disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from morphobench.errors import InputError
from morphobench.report.load import load_records
from tests.support.report_records import record, study


def _write(folder: Path, *lines: str) -> Path:
    file = folder / "results.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_a_folder_and_its_file_give_the_same_records(tmp_path: Path) -> None:
    file = _write(tmp_path, *(json.dumps(one) for one in study()))
    assert load_records(tmp_path) == load_records(file) == study()


def test_the_last_record_of_a_setup_and_seed_wins(tmp_path: Path) -> None:
    name = "unsupervised/aug_one_crop"
    _write(
        tmp_path,
        json.dumps(record(name)),
        "",
        json.dumps(record(name, data=7)),
        json.dumps(record(name, 1)),
    )
    assert [(one["seed"], one["data"]) for one in load_records(tmp_path)] == [
        (0, 7),
        (1, {"content_sha256": "ab12"}),
    ]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("{broken", "line 2: a JSON object wanted"),
        ("[1]", "line 2: a JSON object wanted, got a list"),
        ('{"setup": "a/b"}', "got none of protocol, seed, metrics"),
        ('{"setup": 1, "protocol": "x", "seed": 0, "metrics": {}}', "line 2: setup as text"),
    ],
)
def test_a_corrupt_line_is_named_by_file_and_number(tmp_path: Path, line: str, wanted: str) -> None:
    _write(tmp_path, json.dumps(record("a/aug_one_crop")), line)
    with pytest.raises(InputError, match=wanted) as caught:
        load_records(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"results\.jsonl made by"):
        load_records(tmp_path / "nowhere")
    _write(tmp_path, "")
    with pytest.raises(InputError, match="at least one record"):
        load_records(tmp_path)
