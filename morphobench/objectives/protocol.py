"""What an objective is: the interface that a trainer, a run and a benchmark use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from morphobench.types import Protocol as ProtocolId


@runtime_checkable
class Objective(Protocol):
    """A way of learning a representation: networks, their optimizers, and one training step.

    ``pair_views``: whether a step takes two further views of each image instead of one view. ``encoder``: the
    network that embeds, float32 (N, C, S, S) to (N, D).
    """

    name: ClassVar[str]
    pair_views: ClassVar[bool]
    protocol: ProtocolId
    encoder: nn.Module

    def train_step(self, views: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        """One whole step (forward, backward, optimizer); 0-dim detached tensors by name, ``"loss"`` first."""

    def validation_loss(self, views: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The same terms in evaluation mode, without gradients and without changing any state."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter by name."""

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as flat tensors."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what ``state_dict`` gave, exactly."""

    def to(self, device: torch.device | str) -> Objective:
        """Move everything to ``device``, in place."""
