"""The pages do what they say: commands parse, Python blocks run, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import morphobench as mb
from morphobench.cli.parser import given_options
from morphobench.cli.program import parse
from morphobench.evaluation import registry

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
RUNNABLE = (
    "README.md",
    "custom.md",
    "distances.md",
    "my-data.md",
    "options.md",
    "pretrained.md",
    "statistics.md",
)
"""Pages whose Python blocks run from top to bottom; other pages have tests of their own."""


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def _commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in _blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                command = line.split(" # ")[0].strip()
                if command.startswith("morphobench "):
                    yield page.name, command


@pytest.mark.parametrize(("page", "command"), list(_commands()))
def test_every_command_of_the_pages_is_understood(
    page: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (options,) = _blocks(ROOT / "docs" / "options.md", "toml")
    for file in (tmp_path / "results" / "config.toml", tmp_path / "search" / "best.toml"):
        file.parent.mkdir()
        file.write_text(options)
    arguments = [word for word in shlex.split(command)[1:] if word != "COMMAND"]
    if {"--help", "--version"} & set(arguments):
        with pytest.raises(SystemExit) as left:
            parse(arguments)
        assert left.value.code == 0
    else:
        found, texts = parse(arguments)
        assert arguments[0] == found.name, f"{page}: {command}"
        given_options(found.options, texts)


def _restore(table: dict[str, Any], before: dict[str, Any]) -> None:
    table.clear()
    table.update(before)


@pytest.mark.parametrize("name", RUNNABLE)
def test_the_python_of_a_page_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    (page,) = [page for page in PAGES if page.name == name]
    blocks = _blocks(page, "python")
    assert blocks
    monkeypatch.chdir(tmp_path)
    mb.simulate("cells", images=64, seed=0)
    names: dict[str, object] = {}
    for block in blocks:
        if file := re.match(r"# (\w+\.py)\n", block):  # a file that a reader would make of it
            (tmp_path / file[1]).write_text(block)
    for table in (registry.TASKS, registry.METRICS):  # what the page registers ends with its test
        request.addfinalizer(partial(_restore, table, dict(table)))
    for number, block in enumerate(blocks):
        few = block.replace("images=1000", "images=64").replace("[:256]", "[:16]").replace("(256,", "(16,")
        exec(compile(few, f"{name}, block {number}", "exec"), names)
    assert names


def test_links_between_pages_lead_somewhere() -> None:
    dead = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not dead


def test_every_page_stands_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.name != "README.md"]
    assert [page for page in pages if page not in navigation] == []


def test_files_that_the_pages_name_are_there() -> None:
    named = re.compile(
        r"`((?:csrc|morphobench|tests|benchmarks|tools|docs|examples|containers|\.github)/[\w/.*-]+)`"
    )
    absent = [
        (page.name, path)
        for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
        for path in named.findall(page.read_text("utf-8"))
        if not any(ROOT.glob(path)) and not re.search("[A-Z]{4}", path)  # csrc/FOLDER/NAME.hpp is a pattern
    ]
    assert not absent
