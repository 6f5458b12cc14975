"""SimCLR: two views of an image attract, all other images of the batch repel."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from morphobench.objectives.losses import nt_xent
from morphobench.objectives.registry import register
from morphobench.objectives.two_views import ContrastiveObjective, TwoViewObjective


@register("simclr")
class SimCLR(TwoViewObjective, ContrastiveObjective):
    """Encoder and a projector of two layers under NT-Xent; both protocols alike. Takes two views.

    Chen et al. 2020, "A simple framework for contrastive learning of visual representations". Parameters:
    ``encoder.*``, ``projector.0`` and ``projector.2``. Terms: ``loss``.
    """

    name: ClassVar[str] = "simclr"

    def __init__(self, *, temperature: float = 0.5, **options: Any) -> None:
        """Make the networks.

        Args:
            temperature: of NT-Xent; the default is the paper's for small images (appendix B.9).
            **options: ``projection``, and those of every objective.
        """
        super().__init__(temperature=temperature, **options)

    def _accumulate(self, images: Tensor) -> dict[str, Tensor]:
        def head(embeddings: Tensor) -> Tensor:
            return nt_xent(self.projector(embeddings), temperature=self.temperature).view(1)

        return {"loss": self.loss_of_embeddings(images, head)[0]}
