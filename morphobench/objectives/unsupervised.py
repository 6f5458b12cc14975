"""Unsupervised: an autoencoder."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from morphobench.objectives.base import BaseObjective
from morphobench.objectives.losses import reconstruction_loss
from morphobench.objectives.protocol import Batch
from morphobench.objectives.registry import register


@register("unsupervised")
class Unsupervised(BaseObjective):
    """Encoder and decoder under binary cross-entropy between image and reconstruction; both protocols alike.

    Parameters: ``encoder.*`` and ``decoder.*``. Terms: ``loss``, the mean over pixels and images.
    """

    name: ClassVar[str] = "unsupervised"
    needs_labels: ClassVar[bool] = False

    def build(self) -> None:
        """Add the decoder, and one optimizer over both networks."""
        self.networks.append(("encoder", self.encoder))
        self.decoder = self.add_decoder()
        self.optimize("adam", self.encoder, self.decoder)

    def accumulate(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002
        """Add the gradients of the mean loss of the reconstructed images.

        Args:
            views: the one view, float32 (B, C, S, S).
            batch: not used.

        Returns:
            ``loss``.
        """
        return self._accumulate(*views)

    def _accumulate(self, images: Tensor) -> dict[str, Tensor]:
        def losses(part: slice) -> Tensor:
            return reconstruction_loss(self.decoder(self.encoder(images[part])), images[part]).view(1)

        return {"loss": self.sum_losses(losses, len(images))[0]}
