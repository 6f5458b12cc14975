"""Objects by name: from installed packages, else from the current folder, and nothing else from there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from morphobench._util.plugins import load_plugin
from morphobench.errors import InputError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("plug_a", "plug_pack", "plug_pack.inner", "plug_helped", "plug_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_a_module_of_the_current_folder_is_found(folder: Path) -> None:
    (folder / "plug_a.py").write_text("class A:\n    number = 7\n")
    assert load_plugin("plug_a:A", label="x").number == 7
    assert str(folder) not in sys.path
    (folder / "plug_pack").mkdir()
    (folder / "plug_pack" / "__init__.py").touch()
    (folder / "plug_pack" / "inner.py").write_text("value = 8\n")
    assert load_plugin("plug_pack.inner:value", label="x") == 8


def test_an_installed_module_comes_first(folder: Path) -> None:
    (folder / "json.py").write_text("raise RuntimeError('ran')\n")
    (folder / "colorsys.py").write_text("raise RuntimeError('ran')\n")
    import colorsys
    import json

    assert load_plugin("json:loads", label="x") is json.loads
    assert load_plugin("colorsys:hsv_to_rgb", label="x") is colorsys.hsv_to_rgb


def test_nothing_else_is_imported_from_there(folder: Path) -> None:
    (folder / "plug_helped.py").write_text("import plug_helper\n")
    (folder / "plug_helper.py").write_text("raise RuntimeError('ran')\n")
    with pytest.raises(InputError, match="No module named 'plug_helper'"):
        load_plugin("plug_helped:A", label="x")
    assert "plug_helped" not in sys.modules


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("plug_absent:A", "x must be importable as .*, got 'plug_absent:A': No module named"),
        ("json:absent", "has no attribute 'absent'"),
        ("plug_broken:A", "invalid syntax"),
        ("..:A", "x must be 'package.module:name', got '..:A'"),
        ("json", "x must be 'package.module:name', got 'json'"),
        ("json:a b", "x must be 'package.module:name'"),
    ],
)
def test_what_cannot_be_imported_is_named(folder: Path, target: str, message: str) -> None:
    (folder / "plug_broken.py").write_text("class\n")
    with pytest.raises(InputError, match=message):
        load_plugin(target, label="x")
