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
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.registry import register

_EPSILON = 1e-4


def variance_loss(vectors: Tensor) -> Tensor:
    """The mean over features of max(0, 1 - standard deviation), vectors (B, D); equation 1."""
    return functional.relu(1 - (vectors.var(0) + _EPSILON).sqrt()).mean()


def covariance_loss(vectors: Tensor) -> Tensor:
    """The sum of squared covariances of different features, over D; vectors (B, D); equations 3 and 4."""
    centred = vectors - vectors.mean(0)
    covariance = centred.T @ centred / (len(vectors) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / vectors.shape[1]


@register("vicreg")
class VICReg(BaseObjective):
    """Encoder and an expander of three layers; both protocols alike. Takes two views.

    ``weights`` of invariance, variance and covariance: default 25, 25, 1, the paper's. ``features`` of
    the expander: default 1024 (the paper's 8192 are for larger images). Parameters: ``encoder.*``,
    ``expander.*``. Terms: ``loss`` = the weighted sum, ``invariance_loss``, ``variance_loss`` (both
    views), ``covariance_loss`` (both views).
    """

    name: ClassVar[str] = "vicreg"
    pair_views: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False

    def __init__(
        self, *, weights: tuple[float, float, float] = (25.0, 25.0, 1.0), features: int = 1024, **options: Any
    ) -> None:
        if len(weights) != 3 or min(weights) < 0 or features < 1:
            raise InputError(f"weights, features: three weights and a size wanted, got {weights}, {features}")
        self.weights = weights
        self.features = features
        super().__init__(**options)

    def build(self) -> None:
        """The expander, and one Adam over both networks."""
        self.networks.append(("encoder", self.encoder))
        self.expander = self.add("expander", "expander", self._make_expander)
        self.optimize("adam", self.encoder, self.expander)

    def _make_expander(self) -> nn.Sequential:
        sizes = [self.embedding_size, self.features, self.features]
        hidden = [
            layer
            for inputs, outputs in pairwise(sizes)
            for layer in (nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU())
        ]
        return nn.Sequential(*hidden, nn.Linear(self.features, self.features))

    def accumulate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """Gradients of the weighted sum."""
        if len(views[0]) < 2:
            raise InputError("views: at least 2 images wanted for variances, got 1")

        def head(embeddings: Tensor) -> Tensor:
            # each view has its own batch statistics, as in the paper's algorithm 1
            first, second = (self.expander(half) for half in embeddings.chunk(2))
            invariance = functional.mse_loss(first, second)
            variance = variance_loss(first) + variance_loss(second)
            covariance = covariance_loss(first) + covariance_loss(second)
            # plain numbers: a tensor of them would make the host wait for an accelerator
            terms = zip((invariance, variance, covariance), self.weights, strict=True)
            return torch.stack([term * weight for term, weight in terms])

        terms = self.loss_of_embeddings(torch.cat(views), head)
        names = ("invariance_loss", "variance_loss", "covariance_loss")
        # the terms as the paper's figures show them: without their weights
        plain = {
            name: term / weight if weight else term
            for name, term, weight in zip(names, terms.unbind(), self.weights, strict=True)
        }
        return {"loss": terms.sum(), **plain}

    evaluate = accumulate
