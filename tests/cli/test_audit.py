"""The tables of ``morphobench audit``."""

from __future__ import annotations

import pytest
from rich.console import Console

from morphobench.cli.audit import audit_table, shortcut_table

FOUND = {
    "images": 90,
    "tasks": {
        "classification": {
            "question": "drug against control",
            "units": {"plates": 4, "effective_plates": 3.2, "compounds": 2},
            "predictable_from": {"plate": {"score": 0.75, "chance": 0.5}},
            "baselines": {"mean_intensity": 0.625, "pca_pixels": 1.0},
            "detectable_difference": 0.0625,
            "confounded": True,
            "saturated": False,
        },
        "compound": {
            "question": "compound",
            "units": {},
            "predictable_from": {},
            "baselines": {},
            "detectable_difference": None,
            "confounded": False,
            "saturated": False,
        },
    },
}


@pytest.mark.parametrize("width", [60, 80, 200])
def test_names_and_values_are_whole_at_any_width(width: int) -> None:
    screen = Console(width=width, force_terminal=False, color_system=None)
    with screen.capture() as caught:
        screen.print(audit_table(FOUND))
        line = {
            "shortcut": "cell_count",
            "alone": 0.5,
            "remaining": 0.25,
            "low": 0.1,
            "high": 0.4,
            "least": 0.2,
        }
        screen.print(shortcut_table({"classification": [line]}))
    shown = caught.get()
    for text in ("classification: drug against control", "0.75 (0.50)", "0.62", "0.062", "confounded"):
        assert text in shown
    assert "classification: cell count" in shown
    assert "0.10 to 0.40" in shown
    assert "wells" not in shown  # no task has any
    assert "warning \n" not in shown  # nor a name without its value
    assert max(map(len, shown.splitlines())) <= width
