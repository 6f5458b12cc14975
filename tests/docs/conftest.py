"""What the tests that run the pages share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from morphobench.evaluation import api, registry
from tests.support.pages import PAGES, blocks


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder; tasks and modules that a page adds are forgotten at the end."""
    monkeypatch.chdir(tmp_path)
    assert api.TASKS is registry.TASKS  # api registers the built-in tasks, which are to stay
    tables: tuple[dict[str, Any], ...] = (registry.TASKS, registry.METRICS)
    before = [dict(table) for table in tables]
    yield tmp_path
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)
    for page in PAGES:
        for block in blocks(page):
            if block.file:
                sys.modules.pop(block.file.removesuffix(".py"), None)
