"""Text from outside, made safe to show on a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# control characters (escape sequences begin with one), invisible marks that turn the writing direction,
# surrogates (bytes of a file name that are no UTF-8), private and unassigned code points, line separators
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(text: str) -> str:
    """Make a text from outside safe in a cell of a CSV file, which terminals and spreadsheets show.

    Args:
        text: text of a cell.

    Returns:
        The text, `printable`, with an apostrophe before it where a spreadsheet would read it as a formula.
    """
    return printable(f"'{text}" if text.startswith(_FORMULA) else text)


def csv_table(table: pd.DataFrame) -> str:
    """Write a table as CSV, its texts and names of columns as `csv_text` has them.

    Args:
        table: the table; its index is left out.

    Returns:
        The text.
    """
    safe = table.rename(columns=csv_text)
    for name in safe.select_dtypes(exclude=["number", "bool"]).columns:
        safe[name] = [csv_text(value) if isinstance(value, str) else value for value in safe[name]]
    return safe.to_csv(index=False)


def did_you_mean(words: Sequence[str], known: Sequence[str]) -> str:
    """Suggest the nearest name for words that are none.

    Args:
        words: what was given.
        known: the names.

    Returns:
        The end of an error message; "" where no name is near.
    """
    near = [match for word in words for match in get_close_matches(word, known, n=1)]
    return f"; did you mean {near[0]}?" if near else ""


def first_of(names: Sequence[str], most: int = 3) -> str:
    """List the first of many names.

    Args:
        names: all of them.
        most: how many are shown.

    Returns:
        These, separated by commas, and how many more there are.
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def printable(text: str) -> str:
    r"""Replace characters that a terminal acts on instead of showing.

    Args:
        text: any text, such as a file's name.

    Returns:
        The text with each such character written as its escape, such as ``\x1b``; line breaks and tabs stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _HIDDEN and character not in "\n\t"
        else character
        for character in text
    )
