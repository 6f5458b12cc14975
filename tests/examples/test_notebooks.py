"""The notebooks of ``examples/`` run from top to bottom and show what they promise."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the code cells of a notebook define, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names: dict[str, Any] = {}
    notebook = json.loads((ROOT / "examples" / name).read_text("utf-8"))
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            assert not cell["outputs"], "notebooks are kept without outputs"
            source = "".join(cell["source"]).replace("timing_s=10", "timing_s=1")
            exec(compile(source, f"{name}, cell {number}", "exec"), names)
    return names


def test_my_plates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = _run("my_plates.ipynb", tmp_path, monkeypatch)
    store = names["store"]
    assert store.images.shape == (4 * 12 * 4, 2, 64, 64)
    assert (store.labels == 0).sum() == 4 * 6 * 4
    assert store.metadata["Metadata_Plate"].nunique() == 4
    table = names["results"].table
    assert {"weakly_supervised/aug_one_crop", "unsupervised/no_aug_one_crop"} <= set(table.index)
    assert str(names["decision"])
    assert Path(names["page"]).stat().st_size > 100_000


def test_my_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = _run("my_method.ipynb", tmp_path, monkeypatch)["results"].table
    sys.modules.pop("rotation", None)
    assert "rotation/no_aug_one_crop" in table.index
    assert table.loc["rotation/no_aug_one_crop", "time_per_view_ns"] > 0
