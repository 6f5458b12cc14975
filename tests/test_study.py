"""The tool that repeats the study: its page holds finished sets only, and a claim a line."""

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


def test_unknown_sets_are_refused(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["study.py", str(tmp_path), str(tmp_path / "out"), "--sets", "cats"])
    with pytest.raises(SystemExit, match=r"^--sets must be of malaria-slides, .*, got cats$"):
        tool.main()
