"""LeJEPA: views of an image agree, while embeddings follow an isotropic Gaussian; no teacher."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from morphobench.errors import InputError
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.losses import sigreg_loss
from morphobench.objectives.protocol import Batch
from morphobench.objectives.registry import register


@register("lejepa")
class LeJEPA(BaseObjective):
    """Encoder and projector under agreement of views and SIGReg. Takes two views.

    Balestriero and LeCun 2025, "LeJEPA: provable and scalable self-supervised learning without the
    heuristics": (1 - weight) x squared distance of the views' projections to their mean + weight x SIGReg,
    over random directions that differ in every step. Parameters: ``encoder.*``, ``projector.*``. Terms:
    ``loss``, ``prediction_loss``, ``sigreg_loss``.
    """

    name: ClassVar[str] = "lejepa"
    pair_views: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False

    def __init__(
        self, *, weight: float = 0.05, directions: int = 256, projection: int = 64, **options: Any
    ) -> None:
        """Make the networks.

        Args:
            weight: of SIGReg, 0 to 1; the paper's lambda.
            directions: random directions in which the projections are compared with a Gaussian.
            projection: features of the projector's output.
            **options: those of every objective.

        Raises:
            InputError: for a number out of range.
        """
        if not 0 <= weight <= 1 or directions < 1 or projection < 1:
            raise InputError(
                "weight must be 0 to 1, directions and projection at least 1, "
                f"got {weight}, {directions} and {projection}"
            )
        self.weight, self.directions, self.projection = weight, directions, projection
        super().__init__(**options)

    def build(self) -> None:
        """Add the projector: two hidden layers with BatchNorm."""
        size, hidden = self.embedding_size, 256
        self.projector = self.add(
            "projector",
            "projector",
            lambda: nn.Sequential(
                nn.Linear(size, hidden),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Linear(hidden, hidden),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Linear(hidden, self.projection),
            ),
        )

    def _draw_directions(self) -> Tensor:
        """Unit vectors (projection, directions) of seed and step only, so that a run can go on."""
        drawn = np.random.default_rng((self.seed, self.steps)).standard_normal(
            (self.projection, self.directions), dtype=np.float32
        )
        return torch.from_numpy(drawn / np.linalg.norm(drawn, axis=0)).to(self.device, non_blocking=True)

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Compute both terms and their weighted sum.

        Args:
            views: two views, float32 (B, C, S, S) each.
            batch: not used.

        Returns:
            ``loss``, ``prediction_loss`` and ``sigreg_loss``.

        Raises:
            InputError: for a batch of one image.
        """
        if len(batch) < 2:
            raise InputError("views must hold at least 2 images for BatchNorm, got 1")
        both = torch.stack([self.projector(self.encoder(view)) for view in views])
        prediction = (both - both.mean(0)).square().mean()
        directions = self._draw_directions()
        regularity = torch.stack([sigreg_loss(one, directions) for one in both]).mean()
        return {
            "loss": (1 - self.weight) * prediction + self.weight * regularity,
            "prediction_loss": prediction,
            "sigreg_loss": regularity,
        }
