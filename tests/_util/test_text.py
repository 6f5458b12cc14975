"""Text that a terminal shows and does not act on."""

from __future__ import annotations

import pandas as pd
import pytest

from morphobench._util.text import csv_table, csv_text, first_of, printable


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


def test_first_of_many_names() -> None:
    assert first_of(["a", "b"]) == "a, b"
    assert first_of(list("abcde")) == "a, b, c and 2 more"
    assert first_of(list("abc"), 1) == "a and 2 more"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_formulas_are_text_in_a_spreadsheet(text: str) -> None:
    assert csv_text(text) == f"'{text}"
    assert csv_text("unsupervised/x") == "unsupervised/x"


def test_a_table_keeps_its_numbers_and_shows_its_texts() -> None:
    made = {"=a": ["=1", "\x1b[2J", None], "b": [-1.5, 2.0, None], "c": [-1, 0, 7], "d": [True, False, True]}
    text = csv_table(pd.DataFrame(made))
    assert text == "'=a,b,c,d\n'=1,-1.5,-1,True\n\\x1b[2J,2.0,0,False\n,,7,True\n"
