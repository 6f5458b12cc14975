"""SimCLR: two views of an image attract, all other images of the batch repel."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from morphobench.errors import InputError
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.registry import register


def nt_xent(projections: Tensor, *, temperature: float) -> Tensor:
    """Normalized temperature-scaled cross-entropy of projections (2B, D), rows i and i + B views of one
    image.

    Chen et al. 2020, "A simple framework for contrastive learning of visual representations", equation 1,
    averaged over all 2B rows: each row's other view against the other 2B - 2 rows.
    """
    unit = functional.normalize(projections, dim=1)
    similarity = unit @ unit.T / temperature
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    partner = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return functional.cross_entropy(similarity.masked_fill(itself, -torch.inf), partner)


@register("simclr")
class SimCLR(BaseObjective):
    """Encoder and a projector of two layers under NT-Xent; both protocols alike. Takes two views.

    ``temperature``: default 0.5, the paper's for small images (appendix B.9). ``projection``: features of
    the projector's output, default 128. Parameters: ``encoder.*``, ``projector.0`` and ``projector.2``.
    Terms: ``loss``.
    """

    name: ClassVar[str] = "simclr"
    pair_views: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False

    def __init__(self, *, temperature: float = 0.5, projection: int = 128, **options: Any) -> None:
        if temperature <= 0 or projection < 1:
            raise InputError(
                f"temperature, projection: positive numbers wanted, got {temperature} and {projection}"
            )
        self.temperature = temperature
        self.projection = projection
        super().__init__(**options)

    def build(self) -> None:
        """The projector, and one Adam over both networks."""
        self.networks.append(("encoder", self.encoder))
        size = self.embedding_size
        self.projector = self.add(
            "projector",
            "projector",
            lambda: nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, self.projection)),
        )
        self.optimize("adam", self.encoder, self.projector)

    def accumulate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """Gradients of the mean NT-Xent."""

        def head(embeddings: Tensor) -> Tensor:
            return nt_xent(self.projector(embeddings), temperature=self.temperature).view(1)

        return {"loss": self.loss_of_embeddings(torch.cat(views), head)[0]}

    evaluate = accumulate
