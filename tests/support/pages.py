"""The README and the site's pages, their blocks of code, and the commands in these."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@dataclass(frozen=True)
class Block:
    """A block of code: its language (empty: none), its text, and the heading of the section that it is in."""

    section: str
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The name of the file that a reader makes of it: such a block begins with ``# NAME.py``."""
        found = re.match(r"# (\w+\.py)\n", self.text)
        return found[1] if found else None

    @property
    def commands(self) -> list[str]:
        """The commands of a block of ``sh``, without comments and continued lines joined."""
        if self.language != "sh":
            return []
        lines = [line.split(" # ")[0].strip() for line in self.text.replace("\\\n", " ").splitlines()]
        return [line for line in lines if line and not line.startswith("#")]


def blocks(page: Path) -> list[Block]:
    """All blocks of a page in its order."""
    found, section = [], ""
    parts = re.finditer(
        r"^## (?P<title>[^\n]*)$|^```(?P<language>\w*)\n(?P<text>.*?)^```$",
        page.read_text("utf-8"),
        re.M | re.S,
    )
    for part in parts:
        if part["title"] is not None:
            section = part["title"]
        else:
            found.append(Block(section, part["language"], part["text"]))
    return found


def blocks_of(page: Path, language: str) -> list[str]:
    """The texts of a page's blocks in one language."""
    return [block.text for block in blocks(page) if block.language == language]
