"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from morphobench.report.render.formats import bounds, number, p_text, scale, signed, with_unit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (9.9996, "10.0"),
        (12.34, "12.3"),
        (1234.6, "1,235"),
        (-0.5, "-0.500"),
        (3e12, "3.0e+12"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_a_number_has_the_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_a_unit_suits_the_median_of_its_values() -> None:
    assert scale([1e3, 2e6, 5e6], "ns") == (1e6, "ms")
    assert scale([2.0**20, 0, math.nan], "bytes") == (2.0**20, "MiB")
    assert scale([], "bytes") == (1.0, "B")
    assert scale([5e9], "px") == (1.0, "px")
    assert with_unit(1.5e6, "ns") == "1.50 ms"
    assert with_unit(7200e9, "ns", digits=1) == "2.0 h"
    assert with_unit(math.nan, "ns") == "–"


def test_signs_p_values_and_intervals() -> None:
    assert [signed(value) for value in (0.12, -0.12, 0.0, math.nan)] == ["+0.120", "-0.120", "0.000", "–"]
    assert [p_text(value) for value in (0.0123, 0.0005, math.nan)] == ["p = 0.012", "p < 0.001", "–"]
    assert bounds(0.6, 0.8) == "0.60–0.80"
    assert bounds(-0.1, 0.2) == "-0.10 to 0.20"
    assert bounds(0.1, math.nan) == "–"
