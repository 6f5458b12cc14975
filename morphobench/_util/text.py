"""Text from outside, made safe to show on a terminal."""

from __future__ import annotations

import unicodedata

# control characters (escape sequences begin with one), invisible marks that turn the writing direction,
# surrogates (bytes of a file name that are no UTF-8), private and unassigned code points, line separators
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


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
