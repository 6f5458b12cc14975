"""The study's early stopping, and the epoch of convergence."""

from __future__ import annotations

import math

import pytest

from morphobench.errors import InputError
from morphobench.objectives import create
from morphobench.objectives.self_supervised import study_stop_rule
from morphobench.setups import PARADIGMS
from morphobench.training import Plateau, convergence_epoch
from morphobench.types import PROTOCOLS


@pytest.mark.parametrize(
    ("losses", "stops"),
    [
        ([], False),
        ([1.0], False),
        ([1.0, 1.0], False),  # not before the third epoch
        ([1.0, 2.0], False),
        ([3.0, 2.0, 1.0], False),
        ([3.0, 1.0, 2.0], False),  # grown once
        ([3.0, 1.0, 1.5, 2.0], True),  # grown twice in a row
        ([3.0, 1.0, 1.5, 1.2, 1.4], False),  # grown twice, not in a row
        ([1.0, 0.5, 1.1], True),  # above the first epoch's
        ([1.0, 0.5, 1.0], False),  # equal to it is not above
        ([3.0, 1.00004, 1.00001], True),  # the same to 4 decimals
        ([3.0, 1.0002, 1.0001], False),
    ],
)
def test_study_stop_rule(losses: list[float], stops: bool) -> None:
    assert study_stop_rule(losses) is stops


def test_only_byol_under_reference_stops() -> None:
    rules = {
        (name, protocol): create(name, protocol=protocol, size_px=16).stop_rule
        for name in PARADIGMS
        for protocol in PROTOCOLS
    }
    assert rules.pop(("self_supervised", "reference-1")) is study_stop_rule
    assert set(rules.values()) == {None}


@pytest.mark.parametrize(
    ("losses", "epoch"),
    [
        ([], None),
        ([math.nan], None),
        ([2.0], 1),
        ([2.0, 1.009, 1.02, 1.0], 2),  # within 1 %, though not the best
        ([2.0, 1.02, 1.0], 3),
        ([math.nan, 1.0], 2),
        ([-1.0, -1.995, -2.0], 2),  # a loss below zero
        ([5.0, 0.0, 0.0], 2),
    ],
)
def test_convergence_epoch(losses: list[float], epoch: int | None) -> None:
    assert convergence_epoch(losses) == epoch


@pytest.mark.parametrize(
    ("losses", "epoch"),
    [
        ([], None),
        ([1.0, 1.0], None),  # patience has not run out
        ([1.0, 1.0, 1.0], 1),
        ([1.0, 0.95, 0.86, 0.86, 0.86], 3),
        ([1.0, 0.95, 0.95], 1),  # 5 % is no improvement of 10 %
        ([1.0, 0.95, 0.89, 0.88], None),  # but two halves of one are: the first loss is what counts
        ([1.0, 0.95, 0.89, 0.88, 0.85], 3),
        ([1.0, 1.2, 1.1, 0.1], 1),  # decided before the late improvement
        ([-1.0, -1.05, -1.2, -1.2, -1.2], 3),  # a share of the size, below zero too
        ([0.0, 0.0, 0.0], 1),
        ([math.nan, math.nan, math.nan], 1),
    ],
)
def test_plateau(losses: list[float], epoch: int | None) -> None:
    assert Plateau(improvement=0.1, patience=2).epoch(losses) == epoch


def test_plateau_refuses_what_makes_no_sense() -> None:
    with pytest.raises(InputError, match="improvement must be at least 0 and below 1, got 1"):
        Plateau(improvement=1)
    with pytest.raises(InputError, match="patience must be at least 1, got 0"):
        Plateau(patience=0)
