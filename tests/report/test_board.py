"""The board: every result has its rows, links and machine; ranks are over data sets; protocols stay apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from morphobench.cli import main
from morphobench.errors import InputError
from morphobench.report.board import board, find_results, write_board
from morphobench.run.record import Record, write_records
from tests.support.report_records import record, study

NAMES = ("unsupervised/aug_multi_crop", "unsupervised/aug_one_crop", "regularized/aug_one_crop")


def _result(folder: Path, records: list[Record]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_records(folder / "results.jsonl", records)
    return folder


def _planted(data: str, **changes: Any) -> list[Record]:
    return [
        record(
            name, metrics={"classification.roc_auc": 0.9 - 0.1 * k}, data={"content_sha256": data}, **changes
        )
        for k, name in enumerate(NAMES)
    ]


def test_ranks_are_over_data_sets_and_count_none_twice(tmp_path: Path) -> None:
    for number in range(6):
        _result(tmp_path / "lab" / f"r{number}", _planted(f"data{number}"))
    _result(tmp_path / "lab" / "again", _planted("data0"))
    (group,) = board(find_results([tmp_path / "lab"]), tmp_path)
    assert group.ranking is not None
    assert group.ranking.blocks == 6, "seven results on six data sets"
    assert group.ranking.names == NAMES
    assert list(group.ranking.ranks) == [1, 2, 3]
    assert group.ranking.critical_difference > 0


def test_the_page_links_every_result_and_names_its_machine(tmp_path: Path) -> None:
    _result(tmp_path / "one", study())
    other = {"cpu": "other machine", "versions": {"torch": "2.9"}}
    alone = record("unsupervised/aug_one_crop", environment=other, protocol="reference-1")
    _result(tmp_path / "deep" / "two", [alone])
    page = write_board([tmp_path], tmp_path / "site" / "board.html")
    text = page.read_text("utf-8")
    assert text.count('<a href="../one/results.jsonl">one</a>') == 19
    assert '<a href="../deep/two/results.jsonl">two</a>' in text
    assert "other machine" in text
    assert text.index("Ranks under corrected-1") < text.index("Ranks under reference-1")
    assert "No ranks: the results have fewer than two setups in common." in text
    assert "No interval: 1 blocks" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_hostile_names_are_text(tmp_path: Path) -> None:
    _result(tmp_path / "<b>", [record("a/<script>alert(1)</script>\u202e")])
    text = write_board([tmp_path], tmp_path / "board.html").read_text("utf-8")
    assert "<script>alert" not in text
    assert "<b>" not in text
    assert "\u202e" not in text


def test_folders_without_results_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"FOLDER must hold results of .*, got none in"):
        find_results([tmp_path])
    assert main(["board", str(tmp_path)]) == 2


def test_the_command(tmp_path: Path) -> None:
    _result(tmp_path / "one", study())
    page = tmp_path / "board.html"
    assert main(["board", str(tmp_path / "one"), "--out", str(page)]) == 0
    first = page.read_bytes()
    assert main(["board", str(tmp_path / "one"), "--out", str(page)]) == 0
    assert page.read_bytes() == first
