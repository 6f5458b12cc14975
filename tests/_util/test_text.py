"""Text that a terminal shows and does not act on."""

from __future__ import annotations

import pytest

from morphobench._util.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain µm Ä 細胞", "plain µm Ä 細胞"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("f\udce4", "f\\udce4"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
