"""The loop: same images and views for every objective, steps, history, validation, failures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from morphobench.augment import BYOLPair, MultiCrop
from morphobench.errors import InputError
from morphobench.objectives import create
from morphobench.training import (
    Callback,
    EpochRecord,
    ImageRows,
    NonFiniteLossError,
    TrainingOptions,
    TrainingState,
    epoch_order,
    train,
)

Toy = Callable[..., Any]
OPTIONS = TrainingOptions(epochs=2, batch_size=8, size_px=8, threads=1)


def test_steps_are_the_views_of_the_setting_in_order(toy: Toy, data: dict[str, Any]) -> None:
    objective = toy()
    result = train(objective, **data, setting="aug_multi_crop", options=OPTIONS)
    multi_crop = MultiCrop("aug_multi_crop", size_px=8, seed=0)
    steps = iter(objective.seen)
    for epoch in range(2):
        order = epoch_order(22, seed=0, epoch=epoch)
        for rows in (order[:8], order[8:16]):
            views = multi_crop(data["images"][rows], data["image_ids"][rows], epoch)
            for view in views:
                seen, labels = next(steps)
                np.testing.assert_array_equal(seen[0].numpy(), view)
                np.testing.assert_array_equal(labels.numpy(), data["labels"][rows])
    assert next(steps, None) is None
    assert result.views_trained == 2 * 2 * 5 * 8


def test_every_objective_sees_the_same(toy: Toy, toy_pairs: Toy, data: dict[str, Any]) -> None:
    one, other, paired = toy(), toy(learning_rate=0.5), toy_pairs()
    for objective in (one, other, paired):
        torch.rand(int(torch.randint(9, ())))  # whatever was drawn before
        train(objective, **data, setting="aug_multi_crop", options=OPTIONS)
    assert len(one.seen) == len(other.seen) == len(paired.seen) == 20
    multi_crop = MultiCrop("aug_multi_crop", size_px=8, seed=0)
    pairs = BYOLPair("corrected-1", size_px=8, seed=0)
    for step, (mine, theirs, pair) in enumerate(zip(one.seen, other.seen, paired.seen, strict=True)):
        assert torch.equal(mine[0][0], theirs[0][0])
        assert torch.equal(mine[1], theirs[1])
        assert torch.equal(mine[1], pair[1])
        epoch, batch, view = step // 10, step % 10 // 5, step % 5
        ids = data["image_ids"][epoch_order(22, seed=0, epoch=epoch)[8 * batch : 8 * batch + 8]]
        expected = pairs(mine[0][0].numpy(), ids, epoch, view)
        for position in range(2):
            np.testing.assert_array_equal(pair[0][position].numpy(), expected[position])
    assert multi_crop.views == 5


def test_views_follow_the_image_not_its_row(toy: Toy, data: dict[str, Any]) -> None:
    objective = toy()
    rows = np.array([3, 4, 10, 11, 12, 20])
    chosen = {name: data[name][rows] for name in ("labels", "image_ids")}
    train(
        objective,
        images=ImageRows(data["images"], rows),
        **chosen,
        setting="aug_one_crop",
        options=OPTIONS,
    )
    order = epoch_order(6, seed=0, epoch=1)
    views = MultiCrop("aug_one_crop", size_px=8, seed=0)(
        data["images"][rows[order]], data["image_ids"][rows[order]], 1
    )
    np.testing.assert_array_equal(objective.seen[1][0][0].numpy(), views[0])


def test_seed_decides(toy: Toy, data: dict[str, Any]) -> None:
    def weights(seed: int) -> torch.Tensor:
        objective = toy()
        options = TrainingOptions(epochs=1, batch_size=8, size_px=8, seed=seed)
        train(objective, **data, setting="aug_one_crop", options=options)
        return objective.encoder.layer.weight.detach()

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_history_and_validation(toy: Toy, data: dict[str, Any], held_out: tuple[Any, Any, Any]) -> None:
    objective = toy()
    result = train(objective, **data, setting="no_aug_multi_crop", options=OPTIONS, validation=held_out)
    assert [record.epoch for record in result.history] == [1, 2]
    assert [record.step for record in result.history] == [10, 20]
    assert (result.epochs_done, result.stopped_early, result.resumed_at_step) == (2, False, 0)
    images, labels, _ = held_out
    whole = torch.from_numpy(images).float() / 255
    expected = objective.validation_loss((whole,), torch.from_numpy(labels))["loss"].item()
    validation = result.history[-1].validation
    assert validation is not None
    assert validation == pytest.approx({"loss": expected, "twice": 2 * expected}, rel=1e-6)
    for record in result.history:
        assert record.training["twice"] == pytest.approx(2 * record.training["loss"])
        assert 0 <= record.feed_wait_s < record.seconds
        assert record.images_per_s == pytest.approx(16 / record.seconds)
    assert result.time_per_epoch_s == pytest.approx(sum(record.seconds for record in result.history) / 2)
    assert 0 < result.time_per_view_ns < 1e9
    assert result.convergence_epoch in (1, 2)
    json.dumps(result.describe(), allow_nan=False)


def test_time_is_that_of_the_step_alone(toy: Toy, data: dict[str, Any], monkeypatch: Any) -> None:
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    objective = toy()
    durations = iter([100_000, 8, 24, 16])
    plain = objective.train_step

    def slow(views: Any, labels: Any) -> Any:
        now[0] += next(durations)
        return plain(views, labels)

    class Busy(Callback):
        def step(self, state: TrainingState) -> None:
            now[0] += 5000

    objective.train_step = slow
    result = train(objective, **data, setting="no_aug_one_crop", options=OPTIONS, callbacks=[Busy()])
    assert result.time_per_view_ns == 16 / 8  # the median without the first, per image of the batch


def test_study_stops_byol_early_under_its_protocol_only(toy: Toy, data: dict[str, Any]) -> None:
    def trained(protocol: str) -> Any:
        objective = toy(protocol=protocol)
        objective.stops = create("self_supervised", protocol=protocol, size_px=8).stop_rule
        objective.losses = iter([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0])
        options = TrainingOptions(epochs=4, batch_size=8, size_px=8)
        return train(objective, **data, setting="no_aug_one_crop", options=options)

    early = trained("reference-1")
    assert (early.epochs_done, early.stopped_early) == (3, True)
    whole = trained("corrected-1")
    assert (whole.epochs_done, whole.stopped_early) == (4, False)
    assert [record.training["loss"] for record in whole.history] == [1, 2, 3, 4]


def test_callbacks_are_called_in_order(
    toy: Toy, data: dict[str, Any], held_out: tuple[Any, Any, Any]
) -> None:
    calls: list[str] = []

    class Noted(Callback):
        def start(self, state: TrainingState) -> None:
            calls.append("start")

        def before_step(self, state: TrainingState) -> None:
            calls.append(f"before {state.step}")

        def step(self, state: TrainingState) -> None:
            calls.append(f"step {state.step}")

        def epoch(self, state: TrainingState, record: EpochRecord) -> None:
            calls.append(f"epoch {record.epoch}")

        def end(self, state: TrainingState, result: Any) -> None:
            calls.append(f"end {result.epochs_done}")

        def close(self, error: BaseException | None) -> None:
            calls.append(f"close {error}")

    options = TrainingOptions(epochs=1, batch_size=8, size_px=8)
    train(toy(), **data, setting="no_aug_one_crop", options=options, callbacks=[Noted()], validation=held_out)
    assert calls == ["start", "before 0", "step 1", "before 1", "step 2", "epoch 1", "end 1", "close None"]


def test_non_finite_loss_stops_and_is_recorded(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    objective = toy()
    objective.losses = iter([1.0, 1.0, 1.0, math.nan, 1.0])
    options = TrainingOptions(epochs=3, batch_size=8, size_px=8, checkpoint_dir=tmp_path)
    with pytest.raises(NonFiniteLossError, match=r"toy/no_aug_one_crop: .* by step 4 \(epoch 2\)") as caught:
        train(objective, **data, setting="no_aug_one_crop", options=options)
    assert (caught.value.epoch, caught.value.step) == (2, 4)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["epoch"] == 1
    assert lines[0]["training"] == {"loss": 1.0}
    assert (lines[1]["epoch"], lines[1]["step"], lines[1]["training"]) == (2, 4, {"loss": None})
    again = toy()
    again.losses = iter([1.0] * 9)
    result = train(again, **data, setting="no_aug_one_crop", options=options)
    assert (result.resumed_at_step, result.epochs_done) == (2, 3)  # from the last good checkpoint


def test_non_finite_weights_are_not_saved(toy: Toy, data: dict[str, Any], tmp_path: Path) -> None:
    class Spoil(Callback):
        def step(self, state: TrainingState) -> None:
            if state.step == 4:
                with torch.no_grad():
                    objective.encoder.layer.weight[0, 0] = math.inf

    objective = toy()
    options = TrainingOptions(epochs=3, batch_size=8, size_px=8, checkpoint_dir=tmp_path)
    with pytest.raises(NonFiniteLossError, match=r"infinities in network\.encoder\.layer\.weight by step 4"):
        train(objective, **data, setting="no_aug_one_crop", options=options, callbacks=[Spoil()])
    result = train(toy(), **data, setting="no_aug_one_crop", options=options)
    assert result.resumed_at_step == 2


def test_threads_come_back(toy: Toy, data: dict[str, Any]) -> None:
    before = torch.get_num_threads()
    inside: list[int] = []

    class Look(Callback):
        def start(self, state: TrainingState) -> None:
            inside.append(torch.get_num_threads())

    options = TrainingOptions(epochs=1, batch_size=8, size_px=8, threads=before + 1)
    train(toy(), **data, setting="no_aug_one_crop", options=options, callbacks=[Look()])
    assert (inside, torch.get_num_threads()) == ([before + 1], before)


@pytest.mark.parametrize("name", ["epochs", "batch_size", "size_px", "threads", "checkpoint_every_steps"])
def test_options_below_one_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be at least 1, got 0"):
        TrainingOptions(**{name: 0})  # type: ignore[arg-type]


def test_other_unfit_options_are_refused() -> None:
    with pytest.raises(InputError, match="seed must be at least 0, got -1"):
        TrainingOptions(seed=-1)
    with pytest.raises(InputError, match="early_stopping must be 'protocol' or 'never', got 'often'"):
        TrainingOptions(early_stopping="often")  # type: ignore[arg-type]
