"""Cost tables: ratios within rounds, bounds, the verdict, and the page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from morphobench.errors import InputError
from morphobench.report.render.cost_page import BEGIN, END, cost_page, fill_page, summary
from morphobench.report.render.terminal import console
from morphobench.report.statistics.cost import claims, geometric, setup_costs

WEAK, OURS, AUTO = (
    f"{name}/aug_one_crop" for name in ("weakly_supervised", "self_supervised", "unsupervised")
)


def measured(
    seconds: dict[str, list[float]], losses: dict[str, list[float]], *, rounds: int = 3
) -> dict[str, Any]:
    """A measurement whose setups took ``seconds`` and had validation ``losses`` by epoch, one a round."""
    records = [
        {
            "setup": setup,
            "round": number,
            "epochs": [{"seconds": took, "images_per_s": 100 / took, "validation": {"loss": loss}}],
            "time_per_view_ns": took * 1e6,
            "peak_host_memory_bytes": 2**30 + number,
            "host_memory_before_training_bytes": 2**29,
            "peak_device_memory_bytes": None,
            "peak_device_memory_reserved_bytes": None,
            "load_average": 0.5,
        }
        for setup in seconds
        for number, (took, loss) in enumerate(zip(seconds[setup], losses[setup], strict=True))
    ]
    options = {
        **{"setups": list(seconds), "rounds": rounds, "epochs_per_round": 1, "epochs": 9},
        **{"improvement": 0.1, "patience": 2, "protocol": "corrected-1", "encoders": ["study"]},
        **{"batch_size": 64, "accumulate": 1, "precision": "float32", "threads": 2},
    }
    made_on = {"cpu": "made up", "device": "cpu", "versions": {"torch": "2.9"}, "commit": None}
    data = {"train": 100, "validation": 20}
    return {"options": options, "data": data, "environment": made_on, "records": records[::-1]}


FLAT, FALLING = [1.0] * 5, [1.0, 0.5, 0.2, 0.1, 0.05]


def test_geometric_mean_and_students_interval_of_logarithms() -> None:
    values = [2.0, 3.0, 5.0]
    found = geometric(values)
    assert found.estimate == pytest.approx(30 ** (1 / 3))
    expected = stats.t.interval(0.95, 2, np.mean(np.log(values)), stats.sem(np.log(values)))
    np.testing.assert_allclose(np.log([found.low, found.high]), expected)
    assert math.isnan(geometric(values[:2]).low)


def test_a_setup_over_its_rounds() -> None:
    (cost,) = setup_costs(measured({WEAK: [1.0, 2.0, 4.0, 99.0, 99.0]}, {WEAK: [1.0, 0.8, 0.8, 0.79, 0.79]}))
    assert cost.epoch_s == (1.0, 2.0, 4.0)  # the shared rounds only
    assert cost.time_per_epoch_s.estimate == pytest.approx(2.0)
    assert cost.time_per_image_ns == pytest.approx(2e9 / 100)
    assert cost.time_per_view_ns == pytest.approx(2e6)
    assert (cost.epochs, cost.converged_epoch, cost.epochs_counted) == (5, 2, 2)
    assert cost.time_to_convergence_s == pytest.approx(4.0)
    assert cost.peak_host_memory_bytes == 2**30 + 4
    assert cost.training_memory_bytes == 2**29 + 4


def test_a_step_timed_in_turns_counts_before_that_of_the_rounds() -> None:
    found = measured({WEAK: [1.0, 2.0, 4.0]}, {WEAK: [1.0, 0.9, 0.8]})
    (cost,) = setup_costs({**found, "timing": {WEAK: {"time_per_view_ns": 123.0, "stable": True}}})
    assert cost.time_per_view_ns == 123.0
    (cost,) = setup_costs({**found, "timing": {WEAK: {"stable": False}}})
    assert cost.time_per_view_ns == pytest.approx(2e6)


def test_ratios_are_taken_within_rounds() -> None:
    """A machine that is twice as slow in one round disturbs no ratio."""
    slow = np.array([1.0, 2.0, 1.0, 1.0, 1.0])
    found = setup_costs(
        measured(
            {WEAK: list(0.5 * slow), OURS: list(1.0 * slow), AUTO: list(3.0 * slow)},
            {WEAK: FLAT, OURS: [1.0, 0.8, 0.8, 0.8, 0.8], AUTO: FALLING},
        )
    )
    per_epoch, to_convergence = claims(found)
    assert [(one.other, one.fast) for one in per_epoch.ratios] == [(WEAK, OURS), (AUTO, OURS)]
    for one, expected in zip(per_epoch.ratios, (0.5, 3.0), strict=True):
        assert one.ratio.estimate == pytest.approx(expected)
        assert [one.ratio.low, one.ratio.high] == pytest.approx([expected, expected])
    weak, auto = to_convergence.ratios
    assert weak.ratio.estimate == pytest.approx(0.5 / 2)
    assert auto.ratio.estimate == pytest.approx(3.0 * 5 / 2)
    assert [weak.bound, auto.bound] == ["", "at least"]
    assert per_epoch.largest is per_epoch.ratios[1]
    assert per_epoch.verdict == "no"
    assert to_convergence.verdict == "undecided: not every setup converged"


@pytest.mark.parametrize(
    ("ratio", "noise", "losses", "verdict"),
    [
        (12.0, 1.0, (FLAT, FLAT), "yes"),
        (10.0, 1.0, (FLAT, FLAT), "no"),
        (10.0, 1.3, (FLAT, FLAT), "undecided: an interval holds 11"),
        (3.0, 1.0, (FLAT, FALLING), "yes"),  # at least 3 x 5 epochs
        (40.0, 1.0, (FALLING, FLAT), "no"),  # at most 40 / 5
        (60.0, 1.0, (FALLING, FLAT), "undecided: an interval holds 11"),  # at most 12 may be anything below
        (12.0, 1.0, (FALLING, FALLING), "undecided: no ratio is known"),
    ],
)
def test_the_verdict_to_convergence(
    ratio: float, noise: float, losses: tuple[list[float], list[float]], verdict: str
) -> None:
    theirs = [ratio * noise, ratio / noise, ratio, ratio, ratio]
    found = measured({OURS: [1.0] * 5, AUTO: theirs}, {OURS: losses[0], AUTO: losses[1]})
    assert claims(setup_costs(found))[1].verdict == verdict


def test_two_rounds_decide_nothing() -> None:
    found = measured({OURS: [1.0, 1.0], AUTO: [20.0, 20.0]}, {OURS: [1, 1], AUTO: [1, 1]}, rounds=2)
    assert claims(setup_costs(found))[0].verdict.startswith("undecided: fewer than three rounds")


def test_unfinished_rounds_are_refused() -> None:
    with pytest.raises(InputError, match=f"3 rounds of {OURS}, got 2"):
        setup_costs(measured({OURS: [1.0, 1.0]}, {OURS: [1, 1]}))


def test_page_shows_every_setup_and_the_answers(tmp_path: Path) -> None:
    found = measured(
        {WEAK: [0.5] * 5, OURS: [1.0] * 5, AUTO: [13.0] * 5}, {WEAK: FLAT, OURS: FALLING, AUTO: FALLING}
    )
    page = cost_page(found)
    text = page.markdown()
    row = next(line for line in text.splitlines() if line.startswith(f"| {AUTO}"))
    assert "| 13.0 s |" in row
    assert "> 5 |" in row  # epochs at the cap
    assert "| < 0.10 |" in next(line for line in text.splitlines()[::-1] if line.startswith(f"| {WEAK}"))
    assert "neither converged" in text
    assert "Up to 11 times faster (an epoch)? Yes. The largest ratio within a setting is 13.0" in text
    assert "100 images to learn from" in text
    numbers = summary(found)
    assert [one["setup"] for one in numbers["setups"]] == [WEAK, OURS, AUTO]
    assert numbers["claims"][0]["verdict"] == "yes"
    file = tmp_path / "table.txt"
    with file.open("w") as out:
        console(out).print(page.rich())
    assert "unsupervised" in file.read_text()


def test_filling_a_page_replaces_what_is_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    fill_page(page, None)
    assert "old" in page.read_text()
    fill_page(page, "new\n")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    for wrong in ("nothing", BEGIN, f"{END} {BEGIN}"):
        page.write_text(wrong)
        with pytest.raises(InputError, match=r"page\.md must have the lines"):
            fill_page(page, "new")
        assert page.read_text() == wrong
    with pytest.raises(InputError, match="must be a readable file"):
        fill_page(tmp_path / "absent.md", "new")


def test_the_projects_page_has_a_place_for_the_tables() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "cost.md"
    before = page.read_text(encoding="utf-8")
    fill_page(page, None)
    assert page.read_text(encoding="utf-8") == before
