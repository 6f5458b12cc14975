"""Forecasts of planted learning curves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from morphobench.report.statistics.forecast import forecast

SIZES = (2.0, 4.0, 8.0, 16.0)


def law(n: float) -> float:
    return 0.3 - 0.4 * n**-0.5


def test_a_planted_law_is_extended() -> None:
    found = forecast(SIZES, [law(n) for n in SIZES], [1e-4] * 4, at=64)
    assert found.value == pytest.approx(law(64), abs=0.005)
    assert found.low < law(64) < found.high
    assert found.high - found.low < 0.02


def test_the_interval_holds_what_is_expected_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        seen = [law(n) + 0.01 * random.normal() for n in SIZES]
        one = forecast(SIZES, seen, [0.01] * 4, at=32, seed=seed)
        hits += one.low <= law(32) <= one.high
    assert hits >= 180


def test_a_curve_that_does_not_rise_stays_level() -> None:
    found = forecast(SIZES, [0.1, 0.1, 0.1, 0.1], [0.001] * 4, at=1000)
    assert found.value == pytest.approx(0.1)
    falling = forecast(SIZES, [0.4, 0.3, 0.2, 0.1], [0.001] * 4, at=1000)
    assert falling.value == pytest.approx(0.25)  # more data are never forecast to harm


@pytest.mark.parametrize("errors", [(0.01, 0.01), (0.01, math.nan, 0.01), (0.01, 0.0, 0.01)])
def test_fewer_than_three_points_with_an_interval_are_refused(errors: tuple[float, ...]) -> None:
    found = forecast(SIZES[: len(errors)], [0.1] * len(errors), errors, at=64)
    assert math.isnan(found.value)
    assert found.reason == "3 sizes with an interval are needed, got 2"
