"""The tool that repeats the study: its page holds what is known of each set, and a claim a line."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from morphobench.report.statistics.claims import StudyClaim

TOOLS = Path(__file__).resolve().parents[1] / "tools"


@pytest.fixture(scope="module")
def tool() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))  # as Python does for a script
        spec = importlib.util.spec_from_file_location("study", TOOLS / "study.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    sys.modules.pop("evidence", None)


def test_a_set_that_is_not_finished_is_left_out(tool: ModuleType, tmp_path: Path) -> None:
    assert tool.section(tmp_path, "malaria-slides") is None


def test_a_claim_is_a_line(tool: ModuleType) -> None:
    claims = (StudyClaim("Augmentation helps (ROC AUC)", "+0.01 (no interval: one seed)", "not decided"),)
    assert tool.claims_table(claims).splitlines() == [
        "| the study's claim | here | measured |",
        "|---|---|---|",
        "| Augmentation helps (ROC AUC) | not decided | +0.01 (no interval: one seed) |",
    ]


def test_a_set_computed_elsewhere_keeps_its_section(tool: ModuleType) -> None:
    page = "# Head\n\n## malaria-slides\n\nfirst\n\n## bbbc021\n\nlast\n"
    assert tool.kept(page, "malaria-slides") == "## malaria-slides\n\nfirst\n\n"
    assert tool.kept(page, "bbbc021") == "## bbbc021\n\nlast\n"
    assert tool.kept(page, "bbbc021-fields") is None


def test_verdicts_of_all_sets_stand_side_by_side(tool: ModuleType) -> None:
    one = "| the study's claim | here | measured |\n| A helps | agrees | +1 |\n| B | not decided | 0 |\n"
    text = tool.over_all_sets({"first": one, "second": "| A helps ‡ | disagrees | -1 |\n"})
    assert text.splitlines()[2:6] == [
        "| the study's claim | first | second |",
        "|---|---|---|",
        "| A helps | agrees | disagrees ‡ |",
        "| B | not decided |  |",
    ]
    assert "‡: the audit" in text
    assert "‡" not in tool.over_all_sets({"first": one})


def test_unknown_sets_are_refused(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["study.py", str(tmp_path), str(tmp_path / "out"), "--sets", "cats"])
    with pytest.raises(SystemExit, match=r"^--sets must be of malaria-slides, .*, got cats$"):
        tool.main()
