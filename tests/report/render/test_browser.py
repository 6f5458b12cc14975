"""The page in headless Chromium: no error, no request, no overflow at four widths, figures that live."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from morphobench.report.render.html import render
from tests.report.render.test_html import summary_of_a_study

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (1400, 1024, 800, 390)
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
  const still = Array.from(document.querySelectorAll(".plot:not(.live)"));
  if (still.length && ++waited < 200) { setTimeout(probe, 250); return; }
  document.querySelector("#setups thead th:nth-child(2) button").click();
  const filter = document.getElementById("filter");
  filter.value = "multi_crop";
  filter.dispatchEvent(new Event("input"));
  const rows = Array.from(document.querySelectorAll("#setups tbody tr"));
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
    values: rows.map(function (row) { return row.cells[1].dataset.value; }).filter(Boolean).map(Number),
    shown: rows.filter(function (row) { return !row.hidden; }).length,
    sorted: document.querySelectorAll("#setups th[aria-sort]").length
  };
  document.title = "probe" + JSON.stringify(found) + "end";
}
window.addEventListener("load", function () { setTimeout(probe, 250); });
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("vl_convert", reason="figures need the package vl-convert-python")
    if CHROMIUM is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    file = tmp_path_factory.mktemp("page") / "report.html"
    text = render(summary_of_a_study())
    file.write_text(text.replace("<head>", "<head>" + _PROBE, 1), encoding="utf-8")
    return file


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_works_at_every_width(page: Path, width: int) -> None:
    assert CHROMIUM is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000"]
    # an iframe is as narrow as asked for; a window of headless Chromium is not
    frame = page.with_name(f"frame-{width}.html")
    frame.write_text(
        f'<iframe src="{page.name}" style="width:{width}px;height:9000px;border:0" '
        'onload="setInterval(() => { document.title = this.contentDocument.title }, 250)"></iframe>',
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            CHROMIUM,
            *flags,
            "--allow-file-access-from-files",
            "--window-size=1500,9200",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    match = re.search(r"<title>probe(.*?)end</title>", done.stdout, re.DOTALL)
    assert match, done.stderr[-2000:]
    found = json.loads(match[1].replace("&amp;", "&").replace("&gt;", ">").replace("&lt;", "<"))
    assert found["problems"] == []
    assert found["requests"] == []
    assert found["width"] == width
    assert found["overflow"] <= 0
    assert found["still"] == []
    assert found["live"] == found["figures"] > 8
    assert found["silent"] == 0
    assert found["values"] == sorted(found["values"], reverse=True)
    assert (found["shown"], found["sorted"]) == (8, 1)
