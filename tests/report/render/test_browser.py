"""The pages in headless Chromium: no error, request, or overflow at five widths; legends; printing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from morphobench.report.board import write_board
from morphobench.report.render.html import render
from morphobench.run.record import write_records
from tests.report.render.test_html import summary_of_a_study
from tests.support.report_records import study

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (1400, 1024, 800, 768, 390)
_PROBE = """
<script>
window.problems = [];
window.addEventListener("error", function (event) { window.problems.push(String(event.message)); });
const consoleError = console.error;
console.error = function () {
  window.problems.push(Array.from(arguments).join(" "));
  consoleError.apply(console, arguments);
};
let waited = 0;
function probe() {
  const still = Array.from(document.querySelectorAll(".plot:not(.live, .drawn)"));
  if (still.length && ++waited < 200) { setTimeout(probe, 250); return; }
  const closed = function () { return document.querySelectorAll("details:not([open])").length; };
  const before = closed();
  window.dispatchEvent(new Event("beforeprint"));
  const printed = closed();
  window.dispatchEvent(new Event("afterprint"));
  const table = document.querySelector("table.filtered");
  table.querySelector("thead th[title] button").click();
  const filter = document.getElementById("filter");
  filter.value = "multi_crop";
  filter.dispatchEvent(new Event("input"));
  const rows = Array.from(table.tBodies[0].rows);
  const meanings = Array.from(document.querySelectorAll(".legend dd"))
    .map(function (one) { return one.textContent; });
  const place = table.querySelector("thead th[aria-sort]").cellIndex;
  const found = {
    problems: window.problems,
    width: window.innerWidth,
    overflow: document.documentElement.scrollWidth - window.innerWidth,
    figures: document.querySelectorAll("figure").length,
    live: document.querySelectorAll(".plot.live svg").length,
    still: still.map(function (one) { return one.dataset.figure; }),
    silent: document.querySelectorAll("figure:not([aria-label])").length,
    requests: performance.getEntriesByType("resource").map(function (one) { return one.name; })
      .filter(function (name) { return !name.startsWith("data:"); }),
    values: rows.map(function (row) { return row.cells[place].dataset.value; }).filter(Boolean).map(Number),
    shown: rows.filter(function (row) { return !row.hidden; }).length,
    sorted: table.querySelectorAll("th[aria-sort]").length,
    told: document.getElementById("filter-count").textContent,
    folded: [before, printed, closed()],
    kept: Array.from(document.querySelectorAll(".plot.drawn"))
      .filter(function (one) { return getComputedStyle(one).display === "none"; }).length,
    unexplained: Array.from(table.querySelectorAll("thead th[title]"))
      .map(function (one) { return one.title; }).filter(function (text) { return !meanings.includes(text); })
  };
  document.title = "probe" + JSON.stringify(found) + "end";
}
window.addEventListener("load", function () { setTimeout(probe, 250); });
</script>
"""


def _with_probe(file: Path) -> Path:
    if CHROMIUM is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("<head>", "<head>" + _PROBE, 1), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("vl_convert", reason="figures need the package vl-convert-python")
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(summary_of_a_study()), encoding="utf-8")
    return _with_probe(file)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    for number in range(2):
        (folder / f"run{number}").mkdir()
        write_records(folder / f"run{number}" / "results.jsonl", study((number,)))
    return _with_probe(write_board([folder], folder / "board.html"))


def _probed(page: Path, width: int) -> dict[str, Any]:
    """What the page's probe finds in a frame of a width."""
    assert CHROMIUM is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000"]
    # an iframe is as narrow as asked for; a window of headless Chromium is not
    frame = page.with_name(f"frame-{width}.html")
    frame.write_text(
        f'<iframe src="{page.name}" style="width:{width}px;height:9000px;border:0" '
        'onload="setInterval(() => { document.title = this.contentDocument.title }, 250)"></iframe>',
        encoding="utf-8",
    )
    more = ["--allow-file-access-from-files", "--window-size=1500,9200", "--dump-dom", frame.as_uri()]
    done = subprocess.run([CHROMIUM, *flags, *more], capture_output=True, text=True, timeout=120, check=True)
    match = re.search(r"<title>probe(.*?)end</title>", done.stdout, re.DOTALL)
    assert match, done.stderr[-2000:]
    found = json.loads(match[1].replace("&amp;", "&").replace("&gt;", ">").replace("&lt;", "<"))
    assert found["problems"] == []
    assert found["requests"] == []
    assert found["width"] == width
    assert found["overflow"] <= 0
    assert found["values"] == sorted(found["values"], reverse=True)
    assert found["unexplained"] == [], "each heading's tooltip stands in a legend, which keyboards reach"
    closed, printed, closed_again = found["folded"]
    assert closed == closed_again > 0
    assert printed == 0, "what is folded up is printed"
    return dict(found)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_works_at_every_width(page: Path, width: int) -> None:
    found = _probed(page, width)
    assert found["still"] == []
    assert found["live"] == found["kept"] == found["figures"] > 8, "static pictures are kept for printing"
    assert found["silent"] == 0
    assert (found["shown"], found["sorted"]) == (8, 1)
    assert found["told"] == "8 of 19 shown"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_board_works_at_every_width(board: Path, width: int) -> None:
    found = _probed(board, width)
    assert found["told"] == "16 of 38 shown"


def test_it_prints_whole(page: Path) -> None:
    """The PDF has landscape pages, and as many figures' texts as the page; its tables are not cut."""
    assert CHROMIUM is not None
    pdftotext = shutil.which("pdftotext")
    if pdftotext is None:
        pytest.skip("no pdftotext here (Debian: apt-get install poppler-utils)")
    pdf = page.with_suffix(".pdf")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000"]
    subprocess.run(
        [CHROMIUM, *flags, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    text = subprocess.run(
        [pdftotext, "-layout", str(pdf), "-"], capture_output=True, text=True, check=True
    ).stdout
    words = " ".join(text.split())
    for wanted in (
        "What the columns mean",
        "in how many metrics of this table",
        "Effects on accuracy",
    ):
        assert wanted in words
    for row in summary_of_a_study().rows:
        assert row.title.rpartition("/")[2] in words
    sizes = subprocess.run(
        [shutil.which("pdfinfo") or "pdfinfo", str(pdf)], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"Page size: +84[12][.\d]* x 59[45]", sizes), sizes
