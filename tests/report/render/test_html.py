"""The page: complete, self-contained, escaped, with ids that are unique and pictures that are described."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from morphobench.errors import InputError
from morphobench.report.render.html import render, write_report
from morphobench.report.summary import summarize
from morphobench.run.record import Record
from tests.support.report_records import KNOWN, record, study, tables

_VOID = {"meta", "link", "img", "br", "hr", "input"}


class _Page(HTMLParser):
    """Collects what the tests ask for and checks that every element is closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.used: set[str] = set()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.append((tag, known))
        self.ids += [str(known["id"])] if "id" in known else []
        for value in known.values():
            self.used |= set(re.findall(r"url\(#([^)]+)\)", value or "")) | set(
                re.findall(r"^#(.+)", value or "")
            )

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text() -> str:
    records = study((0, 1))
    predictions, lines = tables(records)
    return render(summarize(records, predictions=predictions, by_cell_line=lines, known=KNOWN))


def test_every_element_is_closed_and_every_id_is_unique_and_resolves(text: str) -> None:
    page = _Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids)) > 50
    assert page.used - {""} <= set(page.ids)


def test_nothing_is_fetched_and_nothing_runs(text: str) -> None:
    page = _Page(text)
    assert not {"script", "link", "iframe", "image", "object"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not {"src", "onload", "onclick"} & attributes.keys()
        assert all((attributes.get(key) or "#").startswith("#") for key in ("href", "xlink:href"))
    assert "@import" not in text
    assert "url(http" not in text


def test_every_picture_is_described_and_follows_the_page(text: str) -> None:
    pictures = [attributes for tag, attributes in _Page(text).tags if tag == "svg"]
    assert (
        len(pictures) == 2 + 6 + 3 + 4 + 2 + 1
    )  # scatters, qualities, costs, learning curves, effects, ranks
    for picture in pictures:
        assert picture["role"] == "img"
        assert len(picture["aria-label"] or "") > 40
    assert "#0101" not in text, "a stand-in colour was left in a picture"
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_the_page_says_what_the_table_says(text: str) -> None:
    for wanted in (
        "corrected-1",
        "images</dt><dd>1,000",
        "Take ",
        "seeds</dt><dd>2",
        "thinned sweeps",
        "made up",
    ):
        assert wanted in text
    setups, metrics, effects, against = 16 + 2 + 1, len(KNOWN), len(KNOWN) - 1, 16
    shares = effects  # of the spread explained, for each metric with a direction
    assert text.count('scope="row"') == setups + metrics + effects + against + shares


def test_texts_of_a_record_are_escaped() -> None:
    hostile = record(
        "unsupervised/aug_one_crop", notes=["<script>alert(1)</script>"], environment={"cpu": "<img src=x>"}
    )
    hostile.metrics["x.<b>"] = 1.0
    page = render(summarize([hostile, record('<i>"/aug_one_crop')], known=KNOWN))
    tags = {tag for tag, _ in _Page(page).tags}
    assert not {"script", "img", "b", "i"} & tags


def test_undefined_values_and_absent_parts_leave_a_page_all_the_same() -> None:
    bare: dict[str, Any] = {
        "setup": "mine",
        "protocol": "corrected-1",
        "seed": 0,
        "metrics": {"similarity.d": None},
    }
    assert _Page(render(summarize([Record.from_json(bare)], known=KNOWN))).open == []


def test_write_report_puts_one_file_into_out(tmp_path: Path) -> None:
    lines = [json.dumps(record("unsupervised/aug_one_crop", metrics={}).to_json())]
    (tmp_path / "results.jsonl").write_text("\n".join(lines), encoding="utf-8")
    page = write_report(tmp_path)
    assert page == tmp_path / "report.html"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "results.jsonl"]
    first = page.read_bytes()
    assert write_report(tmp_path).read_bytes() == first, "the same records give the same page"


def test_write_report_refuses_mixed_protocols(tmp_path: Path) -> None:
    lines = [json.dumps(one.to_json()) for one in (record("a/b"), record("a/c", protocol="reference-1"))]
    (tmp_path / "results.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match="must be of one protocol"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()
