"""VICReg: views of an image agree, while every feature varies and no two features covary.

Bardes et al. 2022, "VICReg: variance-invariance-covariance regularization", section 4.1.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from morphobench.errors import InputError
from morphobench.objectives.losses import covariance_loss, variance_loss
from morphobench.objectives.registry import register
from morphobench.objectives.two_views import TwoViewObjective


@register("vicreg")
class VICReg(TwoViewObjective):
    """Encoder and an expander of three layers; both protocols alike. Takes two views.

    Parameters: ``encoder.*``, ``expander.*``. Terms: ``loss`` = the weighted sum, ``invariance_loss``,
    ``variance_loss`` (both views), ``covariance_loss`` (both views).
    """

    name: ClassVar[str] = "vicreg"

    def __init__(
        self, *, weights: tuple[float, float, float] = (25.0, 25.0, 1.0), features: int = 1024, **options: Any
    ) -> None:
        """Make the networks.

        Args:
            weights: of invariance, variance and covariance; the defaults are the paper's.
            features: of the expander (the paper's 8192 are for larger images).
            **options: those of every objective.

        Raises:
            InputError: for a negative weight or no features.
        """
        if len(weights) != 3 or min(weights) < 0 or features < 1:
            raise InputError(
                f"weights must be three of at least 0 and features at least 1, got {weights}, {features}"
            )
        self.weights = weights
        self.features = features
        super().__init__(**options)

    def build(self) -> None:
        """Add the expander."""
        self.expander = self.add("expander", "expander", self._make_expander)

    def _make_expander(self) -> nn.Sequential:
        sizes = [self.embedding_size, self.features, self.features]
        hidden = [
            layer
            for inputs, outputs in pairwise(sizes)
            for layer in (nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU())
        ]
        return nn.Sequential(*hidden, nn.Linear(self.features, self.features))

    def _accumulate(self, images: Tensor) -> dict[str, Tensor]:
        if len(images) < 4:
            raise InputError("views must hold at least 2 images for variances, got 1")

        def head(embeddings: Tensor) -> Tensor:
            # each view has its own batch statistics, as in the paper's algorithm 1
            first, second = (self.expander(half) for half in embeddings.chunk(2))
            invariance = functional.mse_loss(first, second)
            variance = variance_loss(first) + variance_loss(second)
            covariance = covariance_loss(first) + covariance_loss(second)
            # plain numbers: a tensor of them would make the host wait for an accelerator
            terms = zip((invariance, variance, covariance), self.weights, strict=True)
            return torch.stack([term * weight for term, weight in terms])

        terms = self.loss_of_embeddings(images, head)
        names = ("invariance_loss", "variance_loss", "covariance_loss")
        # the terms as the paper's figures show them: without their weights
        plain = {
            name: term / weight if weight else term
            for name, term, weight in zip(names, terms.unbind(), self.weights, strict=True)
        }
        return {"loss": terms.sum(), **plain}
