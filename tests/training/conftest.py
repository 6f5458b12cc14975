"""A toy objective, and images for it: what the training loop must be able to train without knowing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn


class ToyObjective:
    """A linear map with dropout under SGD with momentum; keeps a note of every step it was given."""

    name = "toy"
    pair_views = False

    def __init__(
        self, *, size_px: int = 8, protocol: str = "corrected-1", learning_rate: float = 0.05
    ) -> None:
        self.protocol, self.learning_rate = protocol, learning_rate
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(size_px * size_px, 2))
        self.optimizers = {"sgd": torch.optim.SGD(self.encoder.parameters(), lr=learning_rate, momentum=0.9)}
        self.seen: list[tuple[list[Tensor], Tensor]] = []
        self.losses: Iterator[float] | None = None

    def train_step(self, views: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        self.seen.append(([view.clone() for view in views], labels.clone()))
        loss = sum(self._loss(nn.functional.dropout(view, 0.2), labels) for view in views)
        loss.backward()
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad()
        if self.losses is not None:
            return {"loss": torch.tensor(next(self.losses))}
        return {"loss": loss.detach(), "twice": 2 * loss.detach()}

    def validation_loss(self, views: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            return {"loss": sum(self._loss(view, labels) for view in views)}

    def _loss(self, view: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(self.encoder(view), labels)

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self.encoder.named_parameters()

    def state_dict(self) -> dict[str, Tensor]:
        state = {f"network.{name}": value.clone() for name, value in self.encoder.state_dict().items()}
        for name, parameter in self.named_parameters():
            momentum = self.optimizers["sgd"].state.get(parameter, {}).get("momentum_buffer")
            if momentum is not None:
                state[f"momentum.{name}"] = momentum.clone()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        own = {name.removeprefix("network."): value for name, value in state.items() if "network." in name}
        self.encoder.load_state_dict(own)
        for name, parameter in self.named_parameters():
            if f"momentum.{name}" in state:
                self.optimizers["sgd"].state[parameter] = {
                    "momentum_buffer": state[f"momentum.{name}"].clone()
                }

    def to(self, device: Any) -> ToyObjective:
        self.encoder.to(device)
        return self


class ToyPairs(ToyObjective):
    name = "toy_pairs"
    pair_views = True


@pytest.fixture
def toy() -> Callable[..., ToyObjective]:
    return ToyObjective


@pytest.fixture
def toy_pairs() -> Callable[..., ToyPairs]:
    return ToyPairs


def toy_images(count: int, *, channels: int = 1, size_px: int = 8, seed: int = 0) -> dict[str, Any]:
    """Arguments of ``train``: noise, labels that its mean follows, and ids that are not the row numbers."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, count)
    images = (
        generator.integers(0, 120, (count, channels, size_px, size_px)) + 100 * labels[:, None, None, None]
    )
    return {"images": images.astype(np.uint8), "labels": labels, "image_ids": 1000 + 7 * np.arange(count)}


@pytest.fixture
def data() -> dict[str, Any]:
    """22 images: with a batch of 8, two batches and six images left over."""
    return toy_images(22)


@pytest.fixture
def held_out() -> tuple[Any, Any, Any]:
    """11 images to validate on, with a batch of 8 the last batch incomplete."""
    made = toy_images(11, seed=1)
    return made["images"], made["labels"], made["image_ids"]
