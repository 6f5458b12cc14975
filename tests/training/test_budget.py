"""The memory estimate counts what the networks make, and refuses what cannot fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import nn

from morphobench.errors import InputError
from morphobench.training import TrainingOptions, budget, train
from morphobench.training.feed import LabelledImages
from morphobench.training.views import make_feed

Toy = Callable[..., Any]
CPU = torch.device("cpu")
OPTIONS = TrainingOptions(epochs=1, batch_size=8, size_px=8)


def estimate(objective: Any, data: dict[str, Any], setting: str = "no_aug_one_crop") -> budget.MemoryEstimate:
    feed = make_feed(LabelledImages(**data), objective, setting=setting, options=OPTIONS)
    return budget.estimate_memory(objective, feed, device=CPU)


def test_parts_of_the_estimate(toy: Toy, toy_pairs: Toy, data: dict[str, Any]) -> None:
    view = 8 * 1 * 8 * 8 * 4
    one = estimate(toy(), data)
    assert one.state_bytes == (64 * 2 + 2) * 4 * 4  # weights, gradients, two moments
    assert one.views_bytes == view
    # for each of 8 images two logits, twice (the second from log-softmax), and the loss's few numbers
    assert 8 * 2 * 4 * 2 <= one.activations_bytes <= 2 * 8 * 2 * 4 * 2
    assert one.total_bytes == one.state_bytes + one.activations_bytes + one.views_bytes
    pair = estimate(toy_pairs(), data, "aug_multi_crop")
    assert pair.views_bytes == (5 + 2) * view
    assert pair.activations_bytes > one.activations_bytes


def test_it_changes_nothing(toy: Toy, data: dict[str, Any]) -> None:
    objective = toy()
    before = objective.state_dict()
    estimate(objective, data)
    assert all(torch.equal(value, before[name]) for name, value in objective.state_dict().items())
    assert objective.seen == []


class Parted:
    """An objective that takes a batch in parts of 3."""

    def __init__(self, *modules: nn.Module) -> None:
        self.networks = [("net", nn.Sequential(*modules))]

    def parts(self, images: int) -> list[slice]:
        return [slice(start, min(start + 3, images)) for start in range(0, images, 3)]


def test_images_that_are_held_together(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert budget.images_together(toy(), 256) == 256  # it does not say
    assert budget.images_together(Parted(nn.Linear(2, 2)), 256) == 6  # a part for each thread
    assert budget.images_together(Parted(nn.Linear(2, 2)), 4) == 4
    assert budget.images_together(Parted(nn.Linear(2, 2), nn.BatchNorm1d(2)), 256) == 256


def test_what_cannot_fit_is_refused_with_advice(
    toy: Toy, data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "available_bytes", lambda device: 100)
    objective = toy()
    with pytest.raises(
        InputError, match=r"memory: about .* GB wanted on cpu for toy/no_aug_one_crop"
    ) as caught:
        train(objective, **data, setting="no_aug_one_crop", options=OPTIONS)
    assert "smaller batch_size" in str(caught.value)
    assert objective.seen == []
    options = TrainingOptions(epochs=1, batch_size=8, size_px=8, check_memory=False)
    result = train(objective, **data, setting="no_aug_one_crop", options=options)
    assert result.memory_estimate_bytes is not None
    assert result.memory_estimate_bytes > 100


def test_container_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "_CGROUP", tmp_path)
    host = psutil.virtual_memory().total
    assert 0 < budget.available_bytes(CPU) <= host  # no such files
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert 0 < budget.available_bytes(CPU) <= host
    (tmp_path / "memory.max").write_text("5000\n")
    assert budget.available_bytes(CPU) == 4000
