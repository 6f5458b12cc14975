"""Matplotlib figures as inline SVG that follows the page: its ink, its grid, its colours, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

WIDTH_IN = 4.4
"""Width of every figure: it fills a phone, and three stand side by side on a screen."""

COLOURS = {
    "ink": "#010101",
    "faint": "#010102",
    "page": "#010103",
    "weakly_supervised": "#010104",
    "self_supervised": "#010105",
    "unsupervised": "#010106",
    "regularized": "#010107",
    "other": "#010108",
    "baseline": "#010109",
}
"""Stand-ins that matplotlib draws with; :func:`inline` turns each into the page's variable of that name."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and scaled
    "svg.hashsalt": "morphobench",
    "font.size": 8,
    "font.family": "sans-serif",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.6,
    "text.parse_math": False,
}


@contextmanager
def figure(*, height_in: float, width_in: float = WIDTH_IN) -> Iterator[Any]:
    """A matplotlib figure without pyplot's global state, in the page's style."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    ink, faint = COLOURS["ink"], COLOURS["faint"]
    keys: tuple[Any, ...] = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    with mpl.rc_context(
        {**_STYLE, **dict.fromkeys(keys, ink), "grid.color": faint, "legend.edgecolor": faint}
    ):
        made = Figure(figsize=(width_in, height_in), layout="constrained")
        made.patch.set_visible(False)
        yield made


def inline(made: Any, *, name: str, alt: str) -> str:
    """The figure as an ``<svg>`` element for a page; ``name`` makes its ids unique there, ``alt`` describes
    it.
    """
    import matplotlib as mpl

    for axes in made.axes:
        axes.patch.set_visible(False)
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        made.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\sid=")', rf"\g<1>{name}-", text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    for colour, stand_in in COLOURS.items():
        text = text.replace(stand_in, f"var(--{colour.replace('_', '-')})")
    box = re.search(r'viewBox="[^"]+"', text)
    label = escape(alt, quote=True)
    head = f'<svg {box[0] if box else ""} role="img" aria-label="{label}" xmlns:xlink="{_XLINK}">'
    return head + text[text.index(">") + 1 :].strip()


_XLINK = "http://www.w3.org/1999/xlink"  # the name of an XML namespace; nothing is fetched from it
