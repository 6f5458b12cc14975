"""Rounds of living processes: warm-up, order, ratios within rounds, what is called unstable."""

from __future__ import annotations

import numpy as np
import pytest

from morphobench.errors import InputError
from morphobench.measure import RoundPlan, RoundTimes, steppers, time_in_rounds
from morphobench.measure.multiply_adds import multiply_adds
from morphobench.measure.yardstick import Yardstick

TARGETS = "tests.support.measure_targets"


def simulated(
    generator: np.random.Generator, levels: dict[str, float], *, rounds: int, noise: float, drift: float = 1.0
) -> RoundTimes:
    """Times whose machine becomes ``drift`` times as slow over the rounds, and is disturbed at random."""
    machine = drift ** np.linspace(0, 1, rounds) * np.exp(generator.normal(0, 0.3, rounds))
    return RoundTimes(
        {
            name: tuple({"wall_ns": level * m * np.exp(generator.normal(0, noise))} for m in machine)
            for name, level in levels.items()
        },
        dict.fromkeys(levels, 1),
        dict.fromkeys(levels, 0),
    )


def test_processes_warm_up_take_turns_and_are_compared() -> None:
    works = {
        "long": (f"{TARGETS}:Sleeper", {"seconds": 0.03, "cold": 1}),
        "short": (f"{TARGETS}:Sleeper", {"seconds": 0.01}),
    }
    with steppers(works) as remotes:
        found = time_in_rounds(remotes, RoundPlan(rounds=7, most=7, turn_s=0.03))
        taken = {name: remote.call("ask", method="steps_taken") for name, remote in remotes.items()}
    assert found.rounds == 7
    assert found.warm_up["long"] > 3
    assert found.steps == {"long": 1, "short": 3}
    assert taken == {name: found.warm_up[name] + 7 * found.steps[name] for name in works}
    assert found.ratio("long", to="short").value == pytest.approx(3, rel=0.3)
    assert found.time("short").value == pytest.approx(10e6, rel=0.3)
    cpu, wall = found.values("long", "cpu_ns"), found.values("long")
    assert cpu is not None
    assert wall is not None
    assert sum(cpu) < sum(wall) / 2  # it slept


def test_cpu_time_is_that_of_the_work() -> None:
    with steppers({"one": (f"{TARGETS}:Spinner", {"seconds": 0.02})}) as remotes:
        found = time_in_rounds(remotes, RoundPlan(rounds=6, most=6))
    assert found.time("one", "cpu_ns").value == pytest.approx(20e6, rel=0.1)


def test_rounds_end_when_the_budget_is_spent_or_times_are_narrow() -> None:
    with steppers({"one": (f"{TARGETS}:Sleeper", {"seconds": 0.005})}) as remotes:
        short = time_in_rounds(remotes, RoundPlan(rounds=12, most=500, budget_s=0.0))
        narrow = time_in_rounds(remotes, RoundPlan(rounds=8, most=500, spread=10.0))
    assert (short.rounds, narrow.rounds) == (6, 8)


def test_what_the_machine_does_to_all_is_taken_off() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        found = simulated(
            generator, {"a": 100.0, "b": 100.0, "c": 300.0, "d": 50.0}, rounds=25, noise=0.02, drift=3.0
        )
        times = {name: found.time(name).value for name in "abcd"}
        assert times["a"] / times["b"] == pytest.approx(1, abs=0.05)
        assert times["c"] / times["a"] == pytest.approx(found.ratio("c", to="a").value, rel=0.03)
        assert found.unstable_reason("a") == ""


def test_intervals_hold_the_true_ratio_as_often_as_they_say() -> None:
    generator, held = np.random.default_rng(1), 0
    for _ in range(200):
        found = simulated(generator, {"a": 120.0, "b": 100.0, "c": 80.0}, rounds=15, noise=0.1)
        interval = found.ratio("a", to="b")
        held += interval.low <= 1.2 <= interval.high
    assert held >= 182  # 95 % of 200, less two and a half standard errors


def test_uncertain_times_are_called_unstable() -> None:
    generator = np.random.default_rng(2)
    noisy = simulated(generator, {"a": 1.0, "b": 1.0}, rounds=12, noise=0.4)
    assert "95 % interval of" in noisy.unstable_reason("a")
    few = simulated(generator, {"a": 1.0, "b": 1.0}, rounds=4, noise=0.001)
    assert few.unstable_reason("a") == "4 rounds, at least 6 needed for an interval"


def test_what_was_not_measured_is_nan() -> None:
    found = simulated(np.random.default_rng(3), {"a": 1.0, "b": 1.0}, rounds=6, noise=0.1)
    assert found.values("a", "instructions") is None
    assert np.isnan(found.time("a", "instructions").value)
    assert np.isnan(found.ratio("a", to="b", what="instructions").value)


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="rounds must be at least 1 and at most 60, got 0"):
        RoundPlan(rounds=0)
    with pytest.raises(InputError, match="remotes must be at least one"):
        time_in_rounds({}, RoundPlan())


def test_the_yardstick_does_the_work_that_it_counts() -> None:
    yardstick = Yardstick(threads=2)
    counted = multiply_adds(yardstick.share)  # one thread's: the counter sees the thread it is made in
    yardstick.step()
    assert 2 * counted == yardstick.multiply_adds()
