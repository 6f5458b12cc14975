"""The pages do what they say: commands parse, Python blocks run, links lead somewhere."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from morphobench.cli.parser import given_options
from morphobench.cli.program import parse
from tests.support import page_names as made
from tests.support.pages import PAGES, ROOT, blocks, blocks_of

RUNNABLE: dict[str, Callable[[Path], dict[str, object]] | None] = {
    "README.md": None,
    "augmentation.md": made.names_of_augmentation,
    "custom.md": None,
    "data.md": made.names_of_data,
    "distances.md": None,
    "evaluation.md": made.names_of_evaluation,
    "my-data.md": None,
    "options.md": None,
    "pretrained.md": None,
    "statistics.md": None,
    "training.md": made.names_of_training,
}
"""Pages whose Python blocks run from top to bottom, and what makes the files and names that they assume."""

ELSEWHERE = {"adopting.md": "tests/augment/test_adopting.py runs each of its sections"}
"""Pages whose Python blocks other tests run."""

FEWER = {
    **{"images=1000": "images=64", "[:256]": "[:16]", "(256,": "(16,", "arange(256)": "arange(16)"},
    **{"epochs=50": "epochs=1, batch_size=16", "max_iter=300": "max_iter=30"},
}
"""Numbers of the blocks that cost time."""


def _commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in blocks(page):
            for command in block.commands:
                if command.startswith("morphobench "):
                    yield page.name, command


@pytest.mark.parametrize(("page", "command"), list(_commands()))
def test_every_command_of_the_pages_is_understood(
    page: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (options,) = blocks_of(ROOT / "docs" / "options.md", "toml")
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


@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.filterwarnings("ignore:Maximum number of iterations")  # of scikit-learn's, which gets few here
def test_the_python_of_a_page_runs(name: str, folder: Path) -> None:
    (page,) = [page for page in PAGES if page.name == name]
    parts = [block for block in blocks(page) if block.language == "python"]
    assert parts
    make = RUNNABLE[name]
    names = make(folder) if make else {}
    for block in parts:
        if block.file:  # a reader would make a file of it
            (folder / block.file).write_text(block.text)
    for number, block in enumerate(parts):
        text = block.text
        if importlib.util.find_spec("onnx") is None:  # else tests/models/test_onnx.py has tests of it
            text = text.partition("mb.export_onnx(")[0]
        for many, few in FEWER.items():
            text = text.replace(many, few)
        exec(compile(text, f"{name}, block {number}", "exec"), names)
    assert names


def test_every_page_with_python_is_run() -> None:
    found = {page.name for page in PAGES if blocks_of(page, "python")}
    assert found == {*RUNNABLE, *ELSEWHERE}


def test_blocks_of_data_can_be_read() -> None:
    readers = {"toml": tomllib.loads, "json": json.loads}
    found = [
        readers[block.language](block.text)
        for page in PAGES
        for block in blocks(page)
        if block.language in readers
    ]
    assert len(found) >= 3
    assert all(found)


def test_commands_stand_in_blocks_of_sh() -> None:
    """Only these are run by ``test_commands.py``."""
    command = re.compile(r"^(morphobench|python3?|pip|nox|pytest|torchrun) ", re.MULTILINE)
    texts = [
        f"{page.name}: {found[0]}"
        for page in PAGES
        for block in blocks(page)
        if block.language != "sh" and (found := command.search(block.text))
    ]
    assert not texts


def test_commands_in_sentences_have_the_options_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    named = [
        code.split()
        for page in PAGES
        for code in re.findall(r"`morphobench ([a-z][^`]*)`", page.read_text("utf-8"))
    ]
    helps = {}
    for command in {words[0] for words in named}:
        with pytest.raises(SystemExit):
            parse([command, "--help"])
        helps[command] = capsys.readouterr().out
    wrong = [
        words
        for words in named
        for option in words
        if option.startswith("--") and not re.search(rf"^  {option}\b", helps[words[0]], re.MULTILINE)
    ]
    assert len(named) > 20
    assert not wrong


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
