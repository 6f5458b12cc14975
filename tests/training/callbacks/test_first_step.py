"""A method that trains nothing ends with an error instead of standing in a table."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from morphobench.errors import CheckError, InputError
from morphobench.objectives import BaseObjective, Batch
from morphobench.training import TrainingOptions, train

OPTIONS = TrainingOptions(epochs=1, batch_size=8, size_px=8)


class Loss(BaseObjective):
    """Squared embeddings."""

    name: ClassVar[str] = "loss"

    def __init__(self, **options: Any) -> None:
        super().__init__(size_px=8, encoder="small:depth=2,channels=8", **options)

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Any:
        return self.encoder(views[0]).square().mean()


class WithoutBackward(Loss):
    """As an author writes it who does not know that accumulate must call backward."""

    def accumulate(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.loss(views, batch)}


class Detached(Loss):
    """A projector behind a detached encoder."""

    def build(self) -> None:
        self.projector = self.add("projector", "projector", lambda: nn.Linear(self.embedding_size, 2))

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Tensor:
        return self.projector(self.encoder(views[0]).detach()).square().mean()


class WithoutStep(Loss):
    """An update that forgets the optimizer."""

    def update(self) -> None:
        self.steps += 1


class Constant(Loss):
    """A loss that depends on no network."""

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Tensor:
        return views[0].mean()


class Rows(Loss):
    """A loss per image instead of one number."""

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Tensor:
        return self.encoder(views[0]).square().mean(1)


class Unnamed(Loss):
    """Terms without the one to minimize."""

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        return {"term": self.encoder(views[0]).square().mean()}


@pytest.mark.parametrize(
    ("objective", "error", "message"),
    [
        (
            WithoutBackward,
            CheckError,
            r"got none for encoder\.blocks\.0\.body\.0\.weight.* is backward called",
        ),
        (
            Detached,
            CheckError,
            r"every trained parameter must get a gradient in the first step, got none for enc",
        ),
        (WithoutStep, CheckError, "the first step must change parameters, got the same weights as before"),
        (Constant, InputError, "the loss must depend on the networks, got a constant"),
        (Rows, InputError, r"must return a 0-dim tensor 'loss', got one of shape \(\d,\)"),
        (Unnamed, InputError, "must return a 0-dim tensor 'loss', got term"),
    ],
)
def test_training_nothing_is_an_error(
    data: dict[str, Any], objective: type[BaseObjective], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(objective(), **data, setting="no_aug_one_crop", options=OPTIONS)


def test_a_loss_alone_trains(data: dict[str, Any]) -> None:
    """Gradients, step, terms and validation of the base class are what torch computes by hand."""
    objective, twin = Loss(learning_rate=1e-2), Loss(learning_rate=1e-2)
    views = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(twin.encoder.parameters(), lr=1e-2)
    for _ in range(3):
        expected = twin.encoder(views).square().mean()
        expected.backward()
        optimizer.step()
        optimizer.zero_grad()
        found = objective.train_step((views,), torch.arange(8) % 2)["loss"]
        torch.testing.assert_close(found, expected)
    for ours, theirs in zip(objective.encoder.parameters(), twin.encoder.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    held_out = objective.validation_loss((views,), torch.arange(8) % 2)["loss"]
    torch.testing.assert_close(held_out, twin.encoder(views).square().mean().detach())
    result = train(objective, **data, setting="no_aug_one_crop", options=OPTIONS)
    assert result.sampling == "shuffled"
