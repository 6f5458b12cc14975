"""The cost measurement: rounds that take turns, exact continuation, its cap, its budget, its resuming."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from morphobench.data import ImageStore
from morphobench.errors import InputError
from morphobench.measure import IsolatedError, Remote
from morphobench.report.statistics.cost import setup_costs
from morphobench.run.cost import rounds
from morphobench.run.cost.options import CostOptions
from morphobench.run.cost.rounds import measure_cost, rounds_left, validation_losses
from morphobench.run.engines.base import Finished, OnMessage, Work
from morphobench.run.engines.local import LocalEngine
from morphobench.run.folder import COSTS

SETUPS = ["weakly_supervised/no_aug_one_crop", "self_supervised/no_aug_one_crop"]


def options_of(
    *, rounds: int = 2, epochs: int = 4, improvement: float = 0.0, patience: int = 99, **changes: Any
) -> CostOptions:
    chosen: dict[str, Any] = {
        "setups": SETUPS,
        "images": 64,
        "train_images": 24,
        "batch_size": 8,
        "device": "cpu",
        "encoders": ["small:channels=8"],  # what is measured here does not depend on it
    }
    chosen["timing_s"] = 0.0
    further = {"rounds": rounds, "epochs": epochs, "improvement": improvement, "patience": patience}
    return CostOptions.resolve(**{**chosen, **further, "threads": 1, **changes})


def order_of(records: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(record["round"], record["setup"].partition("/")[0]) for record in records]


@pytest.fixture(scope="module")
def measured(store: ImageStore, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("cost") / "out"
    return out, measure_cost(store.path, out, options=options_of(), quiet=True)


def test_rounds_take_turns_and_go_on_from_one_another(measured: tuple[Path, dict[str, Any]]) -> None:
    _, found = measured
    weak, ours = "weakly_supervised", "self_supervised"
    expected = [(0, weak), (0, ours), (1, ours), (1, weak), (2, weak), (2, ours), (3, ours), (3, weak)]
    assert order_of(found["records"]) == expected
    for setup in SETUPS:
        mine = [record for record in found["records"] if record["setup"] == setup]
        epochs = [epoch for record in mine for epoch in record["epochs"]]
        assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4]
        assert [epoch["step"] for epoch in epochs] == [3, 6, 9, 12]
        for record in mine:
            assert record["peak_host_memory_bytes"] > record["host_memory_before_training_bytes"] > 0
            assert 0 < record["time_per_view_ns"] * 8 * 3 < 2e9 * sum(e["seconds"] for e in record["epochs"])
            assert record["environment"]["cpu"]
    assert found["data"]["train"] == 24


def test_in_rounds_it_is_the_same_training_as_in_one_go(
    measured: tuple[Path, dict[str, Any]], store: ImageStore, tmp_path: Path
) -> None:
    options = options_of(epochs=4, rounds=1, epochs_per_round=4)
    whole = measure_cost(store.path, tmp_path / "out", options=options, quiet=True)
    for setup in SETUPS:
        (one,) = [record for record in whole["records"] if record["setup"] == setup]
        losses = [
            epoch["validation"]
            for record in measured[1]["records"]
            if record["setup"] == setup
            for epoch in record["epochs"]
        ]
        assert [epoch["validation"] for epoch in one["epochs"]] == losses


def test_asked_again_it_measures_nothing(
    measured: tuple[Path, dict[str, Any]], store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, found = measured
    monkeypatch.setattr(rounds, "Remote", None)
    assert measure_cost(store.path, out, options=options_of(), quiet=True)["records"] == found["records"]
    with pytest.raises(InputError, match="--rounds 2 there, 1 asked"):
        measure_cost(store.path, out, options=options_of(rounds=1), quiet=True)


def test_interrupted_it_goes_on(store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(99))

    class Interrupted(Remote):
        def call(self, method: str, /, **kwargs: Any) -> Any:
            value = super().call(method, **kwargs)
            if next(calls) == 2:
                raise KeyboardInterrupt  # trained, but not yet recorded
            return value

    options = options_of(rounds=2, epochs=2)
    with monkeypatch.context() as patched:
        patched.setattr(rounds, "Remote", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            measure_cost(store.path, tmp_path / "out", options=options, quiet=True)
    assert len((tmp_path / "out" / COSTS).read_text().splitlines()) == 2
    found = measure_cost(store.path, tmp_path / "out", options=options, quiet=True)
    assert Counter(record["setup"] for record in found["records"]) == dict.fromkeys(SETUPS, 2)
    lost = found["records"][2]
    assert [epoch["epoch"] for epoch in lost["epochs"]] == [2]
    assert (lost["time_per_view_ns"], lost["peak_host_memory_bytes"]) == (None, None)  # nothing to measure
    assert all(one.time_per_view_ns > 0 and one.peak_host_memory_bytes > 0 for one in setup_costs(found))


def test_the_budget_ends_further_rounds_only(store: ImageStore, tmp_path: Path) -> None:
    found = measure_cost(store.path, tmp_path / "out", options=options_of(), budget_s=0.0, quiet=True)
    assert Counter(record["round"] for record in found["records"]) == {0: 2, 1: 2}
    assert [one.converged_epoch for one in setup_costs(found)] == [None, None]
    assert json.loads((tmp_path / "out" / COSTS).read_text().splitlines()[0])["round"] == 0


def record(setup: str, number: int, loss: float) -> dict[str, Any]:
    return {"setup": setup, "round": number, "epochs": [{"validation": {"loss": loss}}]}


def test_who_takes_part_in_a_round() -> None:
    options = options_of(rounds=2, epochs=5, improvement=0.1, patience=2)
    weak, ours = options.setups
    falling, flat = (1.0, 0.5, 0.2, 0.1, 0.05), (1.0, 1.0, 1.0, 1.0, 1.0)
    records = [record(str(weak), number, loss) for number, loss in enumerate(falling)]
    records += [record(str(ours), number, loss) for number, loss in enumerate(flat)]
    assert [rounds_left(options, records, number) for number in range(6)] == [
        [weak, ours],
        [weak, ours],
        [weak, ours],  # two flat epochs are not three yet
        [weak],
        [weak],
        [],  # the cap
    ]


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="--epochs must be at least 3 rounds x 1, got 2"):
        options_of(rounds=3, epochs=2)
    with pytest.raises(InputError, match="rounds must be at least 1, got 0"):
        options_of(rounds=0)


class Cluster(LocalEngine):
    """Does jobs here and keeps their names; or loses them."""

    def __init__(self, *, lost: bool = False) -> None:
        self.asked: list[str] = []
        self.lost = lost

    def run(self, jobs: Sequence[Work], *, on_message: OnMessage) -> Iterator[Finished]:
        self.asked.extend(work.name for work in jobs)
        if self.lost:
            return iter([Finished(jobs[0], error="the node was lost")])
        return super().run(jobs, on_message=on_message)


def test_on_a_cluster_everything_is_one_job(
    measured: tuple[Path, dict[str, Any]],
    store: ImageStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, options = tmp_path / "out", options_of(engine="ray")
    monkeypatch.setattr(rounds, "make_engine", lambda *_, **__: Cluster(lost=True))
    with pytest.raises(IsolatedError, match="the node was lost"):
        measure_cost(store.path, out, options=options, quiet=True)
    assert not (out / COSTS).exists()
    cluster = Cluster()
    monkeypatch.setattr(rounds, "make_engine", lambda *_, **__: cluster)
    found = measure_cost(store.path, out, options=options, quiet=True)
    assert cluster.asked == ["cost"]
    assert validation_losses(found["records"]) == validation_losses(measured[1]["records"])
    assert len((out / COSTS).read_text("utf-8").splitlines()) == len(measured[1]["records"])
