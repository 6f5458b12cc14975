"""Gradients of several batches make the step of the one batch that they are together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from morphobench.errors import InputError
from morphobench.objectives import Batch, create
from morphobench.training import Callback, GradientClipping, TrainingOptions, TrainingState, train
from morphobench.training.runtime.gradient_accumulation import make_train_step

SUMS = ("weakly_supervised", "unsupervised", "regularized")


def views_of(objective: Any, images: int) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    count = 1 + objective.pair_views
    generator = torch.Generator().manual_seed(2)
    views = torch.rand(count, images, 1, 16, 16, dtype=torch.float64, generator=generator)
    return tuple(views.float()), torch.arange(images) % 2


@pytest.mark.parametrize("accumulate", [2, 3, 4])
@pytest.mark.parametrize("name", SUMS)
def test_a_loss_that_is_a_sum_over_images_takes_the_same_steps(name: str, accumulate: int) -> None:
    whole, parts = (create(name, size_px=16, learning_rate=1e-3) for _ in range(2))
    views, labels = views_of(whole, 10)  # 10 = 3 + 3 + 4: parts of different sizes too
    for _ in range(3):
        expected = make_train_step(whole, accumulate=1)(views, Batch(labels))
        found = make_train_step(parts, accumulate=accumulate)(views, Batch(labels))
        assert list(found) == list(expected)
        for term, value in expected.items():
            torch.testing.assert_close(found[term], value, rtol=2e-6, atol=1e-7)
    moved = 0.0
    start = create(name, size_px=16).state_dict()
    for key, value in whole.state_dict().items():
        if key.startswith("network."):
            # Adam's steps are of the size of the learning rate, whatever the gradient's
            torch.testing.assert_close(parts.state_dict()[key], value, rtol=0, atol=2e-5)
            moved = max(moved, float((value - start[key]).abs().max()))
    assert moved > 2e-3
    assert int(parts.state_dict()["steps"]) == 3


def test_gradients_are_weighted_by_images() -> None:
    whole, parts = (create("unsupervised", size_px=16) for _ in range(2))
    for objective in (whole, parts):
        for _, network in objective.networks:
            network.double()
    views, labels = views_of(whole, 7)
    doubles = tuple(view.double() for view in views)
    whole.accumulate(doubles, Batch(labels))
    seen: list[torch.Tensor] = []
    parts.optimizers["adam"].register_step_pre_hook(
        lambda optimizer, *_: seen.extend(one.grad.clone() for one in parts.trained() if one.grad is not None)
    )
    make_train_step(parts, accumulate=3)(doubles, Batch(labels))
    for ours, theirs in zip(seen, (one.grad for one in whole.trained()), strict=True):
        assert theirs is not None
        assert (ours - theirs).abs().max() <= 1e-12 * float(theirs.abs().max())


def test_batch_norm_sees_one_batch_at_a_time() -> None:
    """Documented: BYOL's accumulated step is not the larger batch's, but the mean of the batches' own."""
    whole, parts, first, second = (create("self_supervised", size_px=16, seed=1) for _ in range(4))
    views, labels = views_of(whole, 8)
    loss = whole.train_step(views, labels)["loss"]
    found = make_train_step(parts, accumulate=2)(views, Batch(labels))["loss"]
    halves = [
        one.accumulate(tuple(view[part] for view in views), Batch(labels[part]))["loss"]
        for one, part in ((first, slice(0, 4)), (second, slice(4, 8)))
    ]
    torch.testing.assert_close(found, (halves[0] + halves[1]) / 2, rtol=1e-6, atol=1e-7)
    assert abs(found - loss) > 1e-4


def test_masks_differ_between_the_batches_of_a_step() -> None:
    objective = create("masked_autoencoder", size_px=16)
    views, labels = views_of(objective, 4)
    doubled = tuple(torch.cat([view, view]) for view in views)  # the same images in both batches
    seen: list[torch.Tensor] = []
    encoder = objective.encoder
    encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    make_train_step(objective, accumulate=2)(doubled, Batch(torch.cat([labels, labels])))
    assert len(seen) == 2
    assert not torch.equal(*seen)
    make_train_step(objective, accumulate=1)(views, Batch(labels))
    assert not torch.equal(seen[2], seen[0])


def run(folder: Path | None, data: dict[str, Any], *callbacks: Callback, **changes: Any) -> Any:
    objective = create("regularized", size_px=16)
    options = TrainingOptions(epochs=2, batch_size=4, accumulate=2, size_px=16, threads=1)
    train(
        objective,
        **data,
        setting="aug_multi_crop",
        options=replace(options, checkpoint_dir=folder, **changes),
        callbacks=callbacks,
    )
    return objective.state_dict()


@pytest.fixture
def images() -> dict[str, Any]:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (19, 1, 16, 16)).astype(np.uint8)
    return {"images": pixels, "labels": np.arange(19) % 2, "image_ids": 5 * np.arange(19)}


def test_training_takes_the_larger_batchs_images_in_its_order(images: dict[str, Any]) -> None:
    parts = run(None, images)
    whole = run(None, images, batch_size=8, accumulate=1)
    assert int(parts["steps"]) == int(whole["steps"]) == 2 * 2 * 5
    for key in whole:
        if key.startswith("network."):
            torch.testing.assert_close(parts[key], whole[key], rtol=0, atol=2e-5)


class Killed(BaseException):
    """As if the process had been killed."""


def test_killed_within_a_step_it_goes_on_with_the_same_bits(
    images: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(None, images)
    from morphobench.objectives.regularized import Regularized

    accumulate, calls = Regularized.accumulate, iter(range(10**6))

    def killed_at_the_second_batch_of_a_step(self: Any, *arguments: Any) -> Any:
        if next(calls) == 2 * 13 + 1:
            raise Killed
        return accumulate(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Regularized, "accumulate", killed_at_the_second_batch_of_a_step)
        with pytest.raises(Killed):
            run(tmp_path, images, checkpoint_every_steps=1)
    found = run(tmp_path, images, checkpoint_every_steps=1)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_other_accumulation_is_another_run(images: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path, images)
    with pytest.raises(InputError, match="accumulate: 2 there, 1 here; batch_size: 4 there, 8 here"):
        run(tmp_path, images, batch_size=8, accumulate=1)


class Steps(Callback):
    def __init__(self) -> None:
        self.norms: list[float] = []

    def start(self, state: TrainingState) -> None:
        self._objective: Any = state.objective
        for optimizer in self._objective.optimizers.values():
            optimizer.register_step_pre_hook(self._note)

    def _note(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        gradients = [one.grad for group in optimizer.param_groups for one in group["params"]]
        self.norms.append(float(torch.stack([one.norm() for one in gradients]).norm()))


def test_clipping_sees_the_averaged_gradient_once_a_step(images: dict[str, Any]) -> None:
    steps = Steps()
    run(None, images, GradientClipping(1e-3), steps)
    assert len(steps.norms) == 2 * 2 * 5
    assert max(steps.norms) <= 1e-3 * (1 + 1e-4)


def test_no_batches_are_refused() -> None:
    with pytest.raises(InputError, match="accumulate must be at least 1, got 0"):
        TrainingOptions(accumulate=0)
