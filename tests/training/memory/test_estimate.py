"""The memory estimate counts what the networks make, and refuses what cannot fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from morphobench.errors import InputError
from morphobench.measure import run_isolated
from morphobench.objectives import Objective, create
from morphobench.setups import PARADIGMS
from morphobench.training import TrainingOptions, train
from morphobench.training.data.images import LabelledImages
from morphobench.training.data.views import make_loader
from morphobench.training.memory import estimate as memory
from morphobench.training.memory.activations import SCRATCH, ActivationMemory, measure_activations
from morphobench.training.results import MemoryEstimate

Toy = Callable[..., Any]
CPU = torch.device("cpu")
OPTIONS = TrainingOptions(epochs=1, batch_size=8, size_px=8)


def estimate(objective: Any, data: dict[str, Any], setting: str = "no_aug_one_crop") -> MemoryEstimate:
    loader = make_loader(LabelledImages(**data), objective, setting=setting, options=OPTIONS)
    return memory.MemoryEstimator(objective, loader, device=CPU).of(loader.images_per_step)


def test_parts_of_the_estimate(toy: Toy, toy_pairs: Toy, data: dict[str, Any]) -> None:
    view = 8 * 1 * 8 * 8 * 4
    one = estimate(toy(), data)
    assert one.state_bytes == (64 * 2 + 2) * 4 * 3  # gradients, two moments
    assert one.views_bytes == view
    # dropout's copy of the views and its mask, and a few numbers for each image
    assert view <= one.activations_bytes <= 2 * view
    assert one.libraries_bytes == memory.LIBRARIES_BYTES
    parts = one.state_bytes + one.activations_bytes + one.views_bytes + one.libraries_bytes
    assert one.total_bytes == parts
    pair = estimate(toy_pairs(), data, "aug_multi_crop")
    assert pair.views_bytes == (5 + 2) * view
    assert pair.activations_bytes > one.activations_bytes


def test_it_changes_nothing(toy: Toy, data: dict[str, Any]) -> None:
    objective = toy()
    before = objective.state_dict()
    estimate(objective, data)
    assert all(torch.equal(value, before[name]) for name, value in objective.state_dict().items())
    assert objective.seen == []


@pytest.mark.parametrize("name", [*PARADIGMS, "masked_autoencoder"])
def test_a_probed_objective_is_left_as_it_was(name: str) -> None:
    objective = create(name, size_px=16)
    before, threads, drawn = objective.state_dict(), torch.get_num_threads(), torch.get_rng_state()
    found = measure_activations(objective, view_shape=(1, 16, 16), device=CPU)
    assert found is not None
    assert found.bytes_of(256) >= found.bytes_of(16) > found.bytes_of(2) > 0
    after = objective.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert all(parameter.grad is None for _, parameter in objective.named_parameters())
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), drawn)


def test_what_activations_add_up_to() -> None:
    parts = ActivationMemory(fixed=1000, each_thread=100, kept=10, passing=5, part=16, threads=2)
    assert parts.bytes_of(8) == 1000 + 100 + 80 + round(SCRATCH * 5 * 8)
    assert parts.bytes_of(64) == 1000 + 200 + 640 + round(SCRATCH * 5 * 16 * 2)
    whole = ActivationMemory(fixed=1000, each_thread=0, kept=0, passing=5, part=None, threads=2)
    assert whole.bytes_of(64) == 1000 + round(SCRATCH * 5 * 64)


def test_only_tensors_alive_together_count() -> None:
    class Chain:
        """A thousand numbers thrice, of which two are alive at a time; then all three kept."""

        def __init__(self, *, keep: bool) -> None:
            self.micro_batch, self.pair_views, self._keep = None, False, keep
            self.held: list[torch.Tensor] = []

        def parts(self, images: int) -> list[slice]:
            return [slice(0, images)]

        def trained(self) -> list[torch.Tensor]:
            return []

        def named_parameters(self) -> list[Any]:
            return []

        def accumulate(self, views: Any, labels: Any) -> None:
            value = views[0].flatten(1).repeat(1, 1000)
            for _ in range(2):
                if self._keep:
                    self.held.append(value)
                value = value + 1

    for keep, alive in ((False, 2), (True, 3)):
        found = measure_activations(cast(Any, Chain(keep=keep)), view_shape=(1, 1, 1), device=CPU)
        assert found is not None
        assert found.passing == pytest.approx(alive * 4000)
        assert found.part is None


def test_encoders_with_batch_statistics_pass_whole() -> None:
    found = measure_activations(
        create("unsupervised", size_px=32, encoder="resnet18"), view_shape=(1, 32, 32), device=CPU
    )
    assert found is not None
    assert found.part is None
    assert found.bytes_of(128) > 1.9 * found.bytes_of(64) - found.fixed


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [64, 256])
@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_the_estimate_follows_the_measured_peak(paradigm: str, batch_size: int) -> None:
    """In a process of its own: what three steps add to it is within 25 % of what was expected."""
    options = {"paradigm": paradigm, "batch_size": batch_size, "threads": 2}
    found = run_isolated("tests.support.training_memory_target:measured", options).value
    assert 0.75 <= found["expected"] / found["added"] <= 1.25


class Parted:
    """An objective that takes a batch in parts of 3."""

    def __init__(self, *modules: nn.Module) -> None:
        self.networks = [("net", nn.Sequential(*modules))]

    def parts(self, images: int) -> list[slice]:
        return [slice(start, min(start + 3, images)) for start in range(0, images, 3)]


def parted(*modules: nn.Module) -> Objective:
    return cast(Objective, Parted(*modules))


def test_images_that_are_held_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert memory.images_together(parted(nn.Linear(2, 2)), 256) == 6  # a part for each thread
    assert memory.images_together(parted(nn.Linear(2, 2)), 4) == 4
    assert memory.images_together(parted(nn.Linear(2, 2), nn.BatchNorm1d(2)), 256) == 256


def test_what_cannot_fit_is_refused_with_advice(
    toy: Toy, data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda device: 100)
    objective = toy()
    with pytest.raises(
        InputError, match=r"memory on cpu must be about .* MB for toy/no_aug_one_crop"
    ) as caught:
        train(objective, **data, setting="no_aug_one_crop", options=OPTIONS)
    assert "No batch size fits" in str(caught.value)
    assert objective.seen == []
    options = TrainingOptions(epochs=1, batch_size=8, size_px=8, check_memory=False)
    result = train(objective, **data, setting="no_aug_one_crop", options=options)
    assert result.memory_estimate_bytes is not None
    assert result.memory_estimate_bytes > 100


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_refusal_names_what_fits(
    data: dict[str, Any], monkeypatch: pytest.MonkeyPatch, accumulate: int
) -> None:
    """What it names is accepted, and twice as much is not."""
    objective = create("self_supervised", size_px=16)
    few = TrainingOptions(epochs=1, batch_size=2, accumulate=8, size_px=16)
    images = {**data, "images": np.zeros((22, 1, 16, 16), np.uint8)}
    loader = make_loader(LabelledImages(**images), objective, setting="no_aug_one_crop", options=few)
    free = memory.MemoryEstimator(objective, loader, device=CPU).of(16, accumulate=4).total_bytes
    monkeypatch.setattr(memory, "available_bytes", lambda device: free)

    def trained(batch_size: int, accumulate: int) -> Any:
        options = TrainingOptions(epochs=1, batch_size=batch_size, accumulate=accumulate, size_px=16)
        return train(objective, **images, setting="no_aug_one_crop", options=options)

    with pytest.raises(InputError, match="With accumulate=4, batch_size=4 it fits"):
        trained(16 // accumulate, accumulate)
    assert trained(4, 4).epochs_done == 1
