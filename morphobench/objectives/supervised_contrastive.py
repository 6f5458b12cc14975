"""Supervised contrastive: images of one compound attract, images of other compounds repel."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from morphobench.objectives.losses import supervised_contrastive_loss
from morphobench.objectives.protocol import Batch, Sampler
from morphobench.objectives.registry import register
from morphobench.objectives.sampling import BalancedGroups
from morphobench.objectives.two_views import ContrastiveObjective


@register("supervised_contrastive")
class SupervisedContrastive(ContrastiveObjective):
    """Encoder and projector under SupCon over compounds, in balanced batches. Takes two views.

    Khosla et al. 2020, "Supervised contrastive learning". What it learns from compounds must be tested on
    compounds that it was not trained on, or on a task that is not about compounds. Parameters: ``encoder.*``,
    ``projector.*``. Terms: ``loss``.
    """

    name: ClassVar[str] = "supervised_contrastive"

    def __init__(self, *, temperature: float = 0.1, **options: Any) -> None:
        """Make the networks.

        Args:
            temperature: divides the cosines; the default is the paper's.
            **options: ``projection``, and those of every objective.
        """
        super().__init__(temperature=temperature, **options)

    @property
    def supervised_by(self) -> str:
        """The group whose identity it learns from."""
        return "compound"

    @property
    def sampler(self) -> Sampler:
        """Two images of a compound at a time, each compound equally often."""
        return BalancedGroups("compound", images_per_group=2)

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Tensor:
        """Compute SupCon over both views of all images; images of unknown compound only match themselves.

        Args:
            views: two views, float32 (B, C, S, S) each.
            batch: with codes of ``compound``.

        Returns:
            A 0-dim tensor.
        """
        codes = batch.codes("compound")
        # an image of unknown compound gets a number of its own: below every code
        own = torch.where(codes < 0, -1 - torch.arange(len(codes), device=codes.device), codes)
        projections = self.projector(self.encoder(torch.cat(views)))
        return supervised_contrastive_loss(projections, own.repeat(2), temperature=self.temperature)
