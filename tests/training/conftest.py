"""A toy objective, and images for it: what the training loop must be able to train without knowing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from morphobench.objectives import BaseObjective, Batch
from morphobench.objectives.protocol import StopRule


class Linear(nn.Module):
    """Two features of the flattened image."""

    embedding_size = 2

    def __init__(self, channels: int, size_px: int) -> None:
        super().__init__()
        self.layer = nn.Linear(channels * size_px * size_px, 2)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layer(images.flatten(1))
        return features


class ToyObjective(BaseObjective):
    """A linear map with dropout under SGD with momentum; keeps a note of every step it was given."""

    name: ClassVar[str] = "toy"

    def __init__(
        self, *, size_px: int = 8, learning_rate: float = 0.05, encoder: Any = Linear, **options: Any
    ) -> None:
        self.seen: list[tuple[list[Tensor], Tensor]] = []
        self.batches: list[Batch] = []
        self.losses: Iterator[float] | None = None
        self.stops: StopRule | None = None
        super().__init__(size_px=size_px, learning_rate=learning_rate, encoder=encoder, **options)

    def build(self) -> None:
        self.optimizers["sgd"] = torch.optim.SGD(
            self.encoder.parameters(), lr=self.learning_rate, momentum=0.9
        )

    @property
    def stop_rule(self) -> StopRule | None:
        return self.stops

    def train_step(self, views: Sequence[Tensor], labels: Tensor | Batch) -> dict[str, Tensor]:
        batch = labels if isinstance(labels, Batch) else Batch(labels)
        self.seen.append(([view.clone() for view in views], batch.labels.clone()))
        self.batches.append(batch.map(torch.clone))
        terms = super().train_step(views, labels)
        return terms if self.losses is None else {"loss": torch.tensor(next(self.losses))}

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        dropped = [nn.functional.dropout(view, 0.2, training=self.encoder.training) for view in views]
        losses = [nn.functional.cross_entropy(self.encoder(view), batch.labels) for view in dropped]
        loss = torch.stack(losses).sum()
        return {"loss": loss, "twice": 2 * loss}


class ToyPairs(ToyObjective):
    name: ClassVar[str] = "toy_pairs"
    pair_views: ClassVar[bool] = True


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
