"""A table of text, laid out for a terminal of any width or as Markdown; names are never cut."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

_GAP = 2


@dataclass(frozen=True)
class Grid:
    """Rows of text with a name each.

    Attributes:
        headers: of the names and of every other column; a line break starts a further line.
        rows: the name and the cells of each row.
        bold: (row, column) of the cells that stand out.
        breaks: rows with an empty line above.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bold: frozenset[tuple[int, int]] = frozenset()
    breaks: frozenset[int] = frozenset()

    @property
    def width(self) -> int:
        """Width with the names beside their cells, in characters."""
        return self._name_width + self._cells_width

    def text(self, width: int) -> Text:
        """Lay the table out.

        Args:
            width: characters of a line.

        Returns:
            Names beside their cells where there is room; else above them; else above a list of the cells,
            each after its header. Nothing is cut.
        """
        if self.width <= width:
            return self._aligned(beside=True)
        if _GAP + self._cells_width <= width:
            return self._aligned(beside=False)
        return self._listed(width)

    def markdown(self) -> str:
        """Write the table as Markdown.

        Returns:
            Its lines; signs that Markdown or HTML would act on are escaped.
        """
        rule = ("---", *("---:" for _ in self.headers[1:]))
        headers = tuple(_markdown(_one_line(header)) for header in self.headers)
        rows = [
            tuple(
                f"**{_markdown(cell)}**" if (i, k) in self.bold and cell else _markdown(cell)
                for k, cell in enumerate(row)
            )
            for i, row in enumerate(self.rows)
        ]
        return "\n".join(f"| {' | '.join(row)} |" for row in (headers, rule, *rows))

    @property
    def _name_width(self) -> int:
        names = [self.headers[0], *(row[0] for row in self.rows)]
        return max(cell_len(line) for name in names for line in name.split("\n"))

    @property
    def _widths(self) -> list[int]:
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.headers)
        return [
            max(cell_len(line) for text in (header, *cells) for line in text.split("\n"))
            for header, cells in zip(self.headers, columns, strict=True)
        ][1:]

    @property
    def _cells_width(self) -> int:
        return sum(width + _GAP for width in self._widths)

    def _aligned(self, *, beside: bool) -> Text:
        made = Text()
        indent = self._name_width if beside else _GAP
        depth = max(header.count("\n") for header in self.headers) + 1
        for level in range(depth):
            lines = [([""] * depth + header.split("\n"))[level - depth] for header in self.headers]
            made.append(
                _padded(lines[0] if beside else "", indent) + self._cells_line(lines[1:]) + "\n", "dim"
            )
        made.append("─" * (indent + self._cells_width) + "\n", "dim")
        for i, row in enumerate(self.rows):
            if i in self.breaks:
                made.append("\n")
            if beside:
                made.append(_padded(row[0], indent))
            else:
                made.append(f"{row[0]}\n{' ' * indent}")
            for k, (cell, width) in enumerate(zip(row[1:], self._widths, strict=True), 1):
                made.append(" " * (_GAP + width - cell_len(cell)))
                made.append(cell, "bold" if (i, k) in self.bold else "")
            made.append("\n")
        return made

    def _cells_line(self, cells: list[str]) -> str:
        pairs = zip(cells, self._widths, strict=True)
        return "".join(" " * (_GAP + width - cell_len(cell)) + cell for cell, width in pairs)

    def _listed(self, width: int) -> Text:
        made = Text()
        for row in self.rows:
            made.append(f"{row[0]}\n")
            line = ""
            for header, cell in zip(self.headers[1:], row[1:], strict=True):
                if not cell:
                    continue
                part = f"  {_one_line(header)} {cell}"
                if line and cell_len(line) + cell_len(part) > width:
                    made.append(f"{line}\n")
                    line = ""
                line += part
            made.append(f"{line}\n")
        return made


def _one_line(header: str) -> str:
    """A header without its line breaks and the hyphens at them."""
    return " ".join(header.replace("-\n", "").split())


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _markdown(text: str) -> str:
    text = " ".join(text.split())
    for sign in "\\`*[]|":
        text = text.replace(sign, f"\\{sign}")
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)  # "< 0.1" is no tag
