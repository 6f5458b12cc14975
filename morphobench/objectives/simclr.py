"""SimCLR: two views of an image attract, all other images of the batch repel."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from morphobench.errors import InputError
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.losses import nt_xent
from morphobench.objectives.protocol import Batch
from morphobench.objectives.registry import register


@register("simclr")
class SimCLR(BaseObjective):
    """Encoder and a projector of two layers under NT-Xent; both protocols alike. Takes two views.

    Chen et al. 2020, "A simple framework for contrastive learning of visual representations". Parameters:
    ``encoder.*``, ``projector.0`` and ``projector.2``. Terms: ``loss``.
    """

    name: ClassVar[str] = "simclr"
    pair_views: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False

    def __init__(self, *, temperature: float = 0.5, projection: int = 128, **options: Any) -> None:
        """Make the networks.

        Args:
            temperature: of NT-Xent; the default is the paper's for small images (appendix B.9).
            projection: features of the projector's output.
            **options: those of every objective.

        Raises:
            InputError: for a number that is not positive.
        """
        if temperature <= 0 or projection < 1:
            raise InputError(
                f"temperature and projection must be above 0, got {temperature} and {projection}"
            )
        self.temperature = temperature
        self.projection = projection
        super().__init__(**options)

    def build(self) -> None:
        """Add the projector, and one optimizer over both networks."""
        self.networks.append(("encoder", self.encoder))
        size = self.embedding_size
        self.projector = self.add(
            "projector",
            "projector",
            lambda: nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, self.projection)),
        )
        self.optimize("adam", self.encoder, self.projector)

    def accumulate(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002
        """Add the gradients of the mean NT-Xent.

        Args:
            views: two views, float32 (B, C, S, S) each.
            batch: not used.

        Returns:
            ``loss``.
        """

        def head(embeddings: Tensor) -> Tensor:
            return nt_xent(self.projector(embeddings), temperature=self.temperature).view(1)

        return {"loss": self.loss_of_embeddings(torch.cat(views), head)[0]}
