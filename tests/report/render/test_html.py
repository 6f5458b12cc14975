"""The page: complete, self-contained, escaped, described; without figures where they cannot be drawn."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from morphobench.errors import InputError
from morphobench.report.figures.heat_map import heat_map
from morphobench.report.figures.quality import intervals
from morphobench.report.render import html
from morphobench.report.render.html import NO_FIGURES, render, write_report
from morphobench.report.summary import Summary, summarize
from morphobench.run.record import Record, write_records
from tests.support.report_records import KNOWN, record, study, tables

_VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}


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
            self.used |= set(re.findall(r"url\(#([^)]+)\)", value or ""))
            self.used |= set(re.findall(r"^#([^0-9].*)", value or "")) if tag in ("a", "use") else set()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def summary_of_a_study() -> Summary:
    records = study((0, 1, 2))
    predictions, lines = tables(records)
    return summarize(records, predictions=predictions, by_cell_line=lines, known=KNOWN)


@pytest.fixture(scope="module")
def text() -> str:
    """The page as it is without the package that draws figures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "available", lambda: False)
        return render(summary_of_a_study())


@pytest.fixture(scope="module")
def drawn() -> str:
    """The page with its figures."""
    pytest.importorskip("vl_convert", reason="figures need the package vl-convert-python")
    return render(summary_of_a_study())


def test_every_element_is_closed_and_every_link_leads_somewhere(text: str) -> None:
    page = _Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.used <= set(page.ids)
    assert NO_FIGURES in text


def test_the_decision_comes_first_and_the_table_after_it(text: str) -> None:
    places = [text.index(f'id="{name}"') for name in ("decision", "table", "details", "environment")]
    assert places == sorted(places)
    assert "Take " in text[places[0] : places[1]]


def test_the_page_says_what_the_table_says(text: str) -> None:
    facts = ("images</dt><dd>1,000", "seeds</dt><dd>3")
    for wanted in ("corrected-1", *facts, "thinned sweeps", "made up"):
        assert wanted in text
    assert text.count('<th scope="row"><span') == 19
    for column in KNOWN:
        assert f">{column}<" in text


def test_tables_can_be_sorted_and_read_aloud(text: str) -> None:
    table = text[text.index('id="setups"') : text.index("</table>")]
    assert table.count("<button") == 1 + 6 + 3 + 1  # name, quality, costs, wins
    assert table.count('data-value="') == 19 * 10
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "Skip to the decision" in text


def test_what_training_has_changed_stands_below_the_table(text: str) -> None:
    start = text.index('id="gains"')
    assert text.index('id="table"') < start < text.index('id="details"')
    part = text[start : text.index("</table>", start)]
    summary = summary_of_a_study()
    known = [one for one in summary.gains if one.difference == one.difference]
    assert part.count('<tr><th scope="row">') == 16
    assert part.count('class="best"') == sum(one.has_learned for one in known) > 0
    assert part.count(">!<") == sum(one.excludes_zero and not one.has_learned for one in known)
    assert "10 plates" in part, "what the intervals of ROC AUC resample"
    alone = render(summarize([record("unsupervised/aug_one_crop")], known=KNOWN), sections=[])
    assert 'id="gains"' not in alone


def test_every_heading_of_a_table_of_setups_has_its_meaning(text: str) -> None:
    table = text[text.index('id="setups"') : text.index("</table>")]
    titles = re.findall(r'<th scope="col" title="([^"]+)"', table)
    assert len(titles) == 6 + 3 + 1
    for title in titles:
        assert f"<dd>{title}</dd>" in text


def test_texts_of_a_record_are_escaped() -> None:
    changes: dict[str, Any] = {"notes": ["<script>alert(1)</script>"], "environment": {"cpu": "<img src=x>"}}
    hostile = record("unsupervised/aug_one_crop", **changes)
    hostile.metrics["x.<b>"] = 1.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "available", lambda: False)
        page = render(summarize([hostile, record('<i>"/aug_one_crop\u202e')], known=KNOWN))
    tags = [tag for tag, _ in _Page(page).tags]
    assert not {"img", "b", "i"} & {*tags}
    assert tags.count("script") == 2, "the figures' data and the page's own script"
    assert "\u202e" not in page


def test_undefined_values_and_absent_parts_leave_a_page_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "available", lambda: False)
    bare: dict[str, Any] = {
        "setup": "mine",
        "protocol": "corrected-1",
        "seed": 0,
        "metrics": {"similarity.d": None},
    }
    page = render(summarize([Record.from_json(bare)], known=KNOWN))
    assert _Page(page).open == []
    assert "No setup can be recommended" in page


def test_write_report_is_the_same_for_the_same_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "available", lambda: False)
    write_records(tmp_path / "results.jsonl", [record("unsupervised/aug_one_crop", metrics={})])
    page = write_report(tmp_path)
    assert page == tmp_path / "report.html"
    first = page.read_bytes()
    assert write_report(tmp_path).read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "results.jsonl"]


def test_write_report_refuses_mixed_protocols(tmp_path: Path) -> None:
    mixed = [record("a/b"), record("a/c", protocol="reference-1")]
    write_records(tmp_path / "results.jsonl", mixed)
    with pytest.raises(InputError, match="must be of one protocol"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_every_figure_is_described(drawn: str) -> None:
    page = _Page(drawn)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    figures = [attributes for tag, attributes in page.tags if tag == "figure"]
    assert len(figures) == 2 + 1 + 2 + 3 + 1 + 4  # costs, heat map, quality, effects, ranks, curves
    assert all(len(one["aria-label"] or "") > 40 for one in figures)
    assert drawn.count("<figcaption>") == len(figures)
    assert drawn.count('class="plot"') == len(figures)


def test_nothing_is_fetched(drawn: str) -> None:
    for tag, attributes in _Page(drawn).tags:
        assert tag not in {"iframe", "object"}
        assert not {"onload", "onclick"} & attributes.keys()
        for key in ("src", "href", "xlink:href"):
            assert re.match(r"#|data:", attributes.get(key) or "#"), attributes
    assert "@import" not in drawn
    assert "url(http" not in drawn
    assert len(drawn) < 6_000_000


def test_the_figures_data_is_json_that_cannot_end_its_element(drawn: str) -> None:
    start = drawn.index('id="figures-data">') + len('id="figures-data">')
    data = json.loads(drawn[start : drawn.index("</script>", start)])
    for one in data["figures"].values():
        assert one["spec"]["width"] == "container"
        assert one["spec"]["description"]


def test_gains_and_shortcuts_have_tables_and_confounded_tasks_are_marked_in_them() -> None:
    audit = {"marked": {"classification.": "confounded", "shortcuts.classification": "confounded"}}
    names = {"value": 0.8, "alone": 0.7, "remaining": 0.6, "least": 0.55, "chance": 0.5}
    records = [
        record(
            name,
            seed,
            encoder="study",
            audit={**audit, "verdicts": []},
            metrics={
                "classification.roc_auc": 0.6 + 0.1 * (name != "baseline/untrained_encoder") + seed / 100,
                **{f"shortcuts.classification_{part}": value for part, value in names.items()},
            },
        )
        for name in ("unsupervised/aug_one_crop", "baseline/untrained_encoder")
        for seed in range(3)
    ]
    page = render(summarize(records))
    assert _Page(page).open == []
    gains = page[page.index('<h2 id="gains">') : page.index('<h2 id="shortcuts">')]
    assert "unsupervised/<wbr>aug_one_crop" in gains
    assert '+0.100<span class="mark">*' in gains
    assert "‡" in gains[gains.index("<thead>") :]
    shortcuts = page[page.index('<h2 id="shortcuts">') :].partition("</section>")[0]
    assert all(text in shortcuts for text in ("0.800", "0.600", "0.550", "‡"))
    details = page[page.index('<h2 id="details">') :]
    assert "classification.roc_auc ‡" in details
    assert "shortcuts.classification_value ‡" in details


@pytest.mark.parametrize(("value", "shown"), [(0.49, True), (0.1, False)])
def test_a_baseline_near_the_setups_is_on_the_axis(value: float, shown: bool) -> None:
    values = {"unsupervised/aug_one_crop": 0.6, "regularized/aug_one_crop": 0.75}
    values |= {"baseline/mean_intensity": 0.7, "baseline/chance": value}  # the best one is always shown
    records = [record(name) for name in values]
    for one, roc_auc in zip(records, values.values(), strict=True):
        one.metrics["classification.roc_auc"] = roc_auc
        one.intervals.pop("classification.roc_auc", None)
    summary = summarize(records, known=KNOWN)
    (column,) = [each for each in summary.columns if each.key == "classification.roc_auc"]
    figure = intervals(summary, column)
    assert figure is not None
    low, high = next(
        layer["encoding"]["x"]["scale"]["domain"]
        for layer in figure.spec["layer"]
        if "scale" in layer["encoding"].get("x", {})
    )
    assert low < 0.6
    assert high > 0.75
    assert (low < value) is shown


def test_a_value_that_is_missing_has_no_shade_in_the_heat_map() -> None:
    records = [record("unsupervised/aug_one_crop"), record("regularized/aug_one_crop")]
    records[1].metrics["similarity.d"] = None
    figure = heat_map(summarize(records, known=KNOWN))
    assert figure is not None
    cells = {(one["setup"], one["column"]): one for one in figure.spec["data"]["values"]}
    assert cells["regularized/aug_one_crop", "simil. d"]["share"] is None
    assert cells["unsupervised/aug_one_crop", "simil. d"]["share"] == 0.5
    assert {one["share"] for (_, column), one in cells.items() if column == "ROC AUC"} == {0.0, 1.0}
