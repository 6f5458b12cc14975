"""What objectives share that compare two views of each image."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from morphobench.errors import InputError
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.protocol import Batch


class TwoViewObjective(BaseObjective):
    """Base of objectives of two views whose gradients go through ``loss_of_embeddings``."""

    pair_views: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False

    def accumulate(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002
        """Add the gradients of the loss of both views, which pass through the networks as one batch.

        Args:
            views: two views, float32 (B, C, S, S) each.
            batch: not used.

        Returns:
            The objective's terms.

        Raises:
            InputError: for one image, where the objective needs the spread of several.
        """
        return self._accumulate(torch.cat(views))

    def _accumulate(self, images: Tensor) -> dict[str, Tensor]:
        """The same, of the first views (B) and the second ones as one batch (2B)."""
        raise NotImplementedError


class ContrastiveObjective(BaseObjective):
    """Base of objectives in which projections attract and repel one another, by their cosines."""

    pair_views: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False

    def __init__(self, *, temperature: float, projection: int = 128, **options: Any) -> None:
        """Make the networks.

        Args:
            temperature: divides the cosines.
            projection: features of the projector's output.
            **options: those of every objective.

        Raises:
            InputError: for a number that is not positive.
        """
        if temperature <= 0 or projection < 1:
            raise InputError(
                f"temperature and projection must be above 0, got {temperature} and {projection}"
            )
        self.temperature, self.projection = temperature, projection
        super().__init__(**options)

    def build(self) -> None:
        """Add the projector: one hidden layer, as in the papers of SimCLR and SupCon."""
        size = self.embedding_size
        self.projector = self.add(
            "projector",
            "projector",
            lambda: nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, self.projection)),
        )
