"""Unsupervised: an autoencoder, alone or regularized by a classifier on its embedding."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from morphobench.objectives.base import BaseObjective, reconstruction_loss
from morphobench.objectives.registry import register


@register("unsupervised")
class Unsupervised(BaseObjective):
    """Encoder and decoder under binary cross-entropy between image and reconstruction; both protocols alike.

    Parameters: ``encoder.*`` and ``decoder.*``. Terms: ``loss``, the mean over pixels and images.
    """

    name: ClassVar[str] = "unsupervised"
    needs_labels: ClassVar[bool] = False

    def build(self) -> None:
        """The decoder, and one Adam over both networks."""
        self.networks.append(("encoder", self.encoder))
        self.decoder = self.add_decoder()
        self.optimize("adam", self.encoder, self.decoder)

    def accumulate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """Gradients of the mean reconstruction loss."""
        (images,) = views

        def losses(part: slice) -> Tensor:
            return reconstruction_loss(self.decoder(self.encoder(images[part])), images[part]).view(1)

        return {"loss": self.sum_losses(losses, len(images))[0]}

    evaluate = accumulate
