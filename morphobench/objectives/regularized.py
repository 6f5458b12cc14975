"""Regularized: an autoencoder whose embedding a classifier reads, L = L_rec + L_disc."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from morphobench.models import Classifier
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.losses import classification_loss, reconstruction_loss
from morphobench.objectives.protocol import Batch
from morphobench.objectives.registry import register


@register("regularized")
class Regularized(BaseObjective):
    """Encoder, decoder and classifier under L_rec + L_disc.

    ``corrected-1``: one Adam over the three, one encoder pass. ``reference-1``: two Adams; the classifier
    learns from the encoder's output without reaching the encoder, the autoencoder's loss contains the
    classifier's as a plain number, so encoder and decoder train as in ``unsupervised``; softmax before the
    cross-entropy. The two steps of a batch share no parameter, so their gradients are made together.

    Parameters: ``encoder.*`` and ``decoder.*`` (the autoencoder), ``model.1`` and ``model.3`` (the separate
    classifier). Terms, both protocols: ``loss`` = ``reconstruction_loss`` + ``classification_loss``, all
    before the step.
    """

    name: ClassVar[str] = "regularized"

    def build(self) -> None:
        """Add decoder and classifier, and the protocol's optimizers."""
        self.networks.append(("encoder", self.encoder))
        self.decoder = self.add_decoder()
        self.classifier = self.add("model", "classifier", lambda: Classifier(self.embedding_size))
        if self.protocol == "reference-1":
            self.optimize("classifier", self.classifier)
            self.optimize("autoencoder", self.encoder, self.decoder)
        else:
            self.optimize("adam", self.encoder, self.decoder, self.classifier)

    def accumulate(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Add the gradients of the mean of both losses.

        Args:
            views: the one view, float32 (B, C, S, S).
            batch: labels.

        Returns:
            ``loss`` and both of its terms.
        """
        (images,) = views

        def losses(part: slice) -> Tensor:
            embeddings = self.encoder(images[part])
            read = embeddings.detach() if self.protocol == "reference-1" else embeddings
            discrimination = classification_loss(
                self.classifier(read), batch.labels[part], protocol=self.protocol
            )
            return torch.stack([reconstruction_loss(self.decoder(embeddings), images[part]), discrimination])

        totals = self.sum_losses(losses, len(images))
        reconstruction, discrimination = totals.unbind()
        return {
            "loss": totals.sum(),
            "reconstruction_loss": reconstruction,
            "classification_loss": discrimination,
        }
