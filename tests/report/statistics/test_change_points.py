"""Change points: found where planted, none where there is only noise."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from morphobench.report.statistics import change_points as module
from morphobench.report.statistics.change_points import change_points, levels


def series(
    generator: np.random.Generator, *, noise: float, steps: dict[int, float], count: int = 24
) -> list[float]:
    values = 5.0 * np.exp(generator.normal(0, noise, count))
    for position, factor in steps.items():
        values[position:] *= factor
    return [float(value) for value in values]


def test_noise_has_no_change_points() -> None:
    generator = np.random.default_rng(0)
    found = sum(bool(change_points(series(generator, noise=0.03, steps={}))) for _ in range(200))
    assert found <= 10


@pytest.mark.parametrize("factor", [1.15, 1 / 1.15])
def test_a_change_of_15_percent_is_found_where_it_is(factor: float) -> None:
    generator, close = np.random.default_rng(1), 0
    for _ in range(100):
        points = change_points(series(generator, noise=0.025, steps={14: factor}))
        close += any(abs(point - 14) <= 1 for point in points)
    assert close >= 95


def test_two_changes_have_three_levels() -> None:
    values = [10.0] * 8 + [12.0] * 8 + [9.0] * 8
    assert change_points(values) == [8, 16]
    assert levels(values, [8, 16]) == pytest.approx([10, 12, 9])


def test_a_single_outlier_and_a_short_series_have_none() -> None:
    assert change_points([10.0] * 8 + [15.0] + [10.0] * 8) == []
    assert change_points([10.0] * 8 + [15.0]) == []  # the last one may be one
    assert change_points([10.0] * 8 + [15.0] * 2) == [8]
    assert change_points([1.0, 1.0, 5.0]) == []
    assert levels([2.0, 8.0], []) == pytest.approx([4])


def test_the_split_is_the_best_of_all() -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        values = series(generator, noise=0.05, steps={4: 1.3, 7: 0.8}, count=10)
        logs = np.log(values)
        noise = float(np.median(np.abs(np.diff(logs)))) / 0.6745 / np.sqrt(2)
        logs = module.smoothed(logs)
        price = module.PENALTY * np.log(len(logs)) * noise**2

        def cost(points: tuple[int, ...], logs: np.ndarray = logs, price: float = price) -> float:
            bounds = [0, *points, len(logs)]
            parts = [logs[a:b] for a, b in pairwise(bounds)]
            if min(map(len, parts)) < module.SHORTEST:
                return float("inf")
            return float(sum(((part - part.mean()) ** 2).sum() for part in parts) + price * len(points))

        every = [points for k in range(4) for points in combinations(range(1, len(logs)), k)]
        assert cost(tuple(change_points(values))) == pytest.approx(min(map(cost, every)))
