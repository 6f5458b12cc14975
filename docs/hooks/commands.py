"""MkDocs hook: the page of commands is their ``--help``, so that it cannot differ from the program."""

from __future__ import annotations

import argparse
from typing import Any


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Append the help of every command to the page of commands.

    Args:
        markdown: the page's text.
        page: the page; only ``reference/commands.md`` is changed.

    Returns:
        The text to render.
    """
    if page.file.src_uri != "reference/commands.md":
        return markdown
    from morphobench.cli.parser import make_parser
    from morphobench.cli.registry import COMMANDS

    parser = make_parser(COMMANDS)
    parts = [markdown, "```text", parser.format_help(), "```"]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                parts += [f"## {name}", "```text", command.format_help(), "```"]
    return "\n".join(parts)
