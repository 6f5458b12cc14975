"""The command line: ``morphobench COMMAND ...``; the commands' work is done elsewhere."""

from __future__ import annotations

from morphobench.cli.program import main

__all__ = ["main"]
