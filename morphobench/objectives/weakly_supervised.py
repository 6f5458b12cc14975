"""Weakly supervised: tell drug images from control images."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from morphobench.models import Classifier
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.losses import classification_loss
from morphobench.objectives.protocol import Batch
from morphobench.objectives.registry import register


@register("weakly_supervised")
class WeaklySupervised(BaseObjective):
    """Encoder and classifier under cross-entropy of drug against control.

    ``reference-1``: softmax before the cross-entropy, and a LeakyReLU of slope 1. Parameters: ``model.0`` to
    ``model.8`` (encoder), ``model.10`` and ``model.12`` (classifier). Terms: ``loss``.
    """

    name: ClassVar[str] = "weakly_supervised"

    def build(self) -> None:
        """Add the classifier, and one optimizer over both networks."""
        slope = 1.0 if self.protocol == "reference-1" else 0.01
        self.networks.append(("model", self.encoder))
        self.classifier = self.add(
            "model", "classifier", lambda: Classifier(self.embedding_size, slope=slope, names=("10", "12"))
        )
        self.optimize("adam", self.encoder, self.classifier)

    def accumulate(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Add the gradients of the mean cross-entropy.

        Args:
            views: the one view, float32 (B, C, S, S).
            batch: labels.

        Returns:
            ``loss``.
        """
        (images,) = views

        def losses(part: slice) -> Tensor:
            logits = self.classifier(self.encoder(images[part]))
            return classification_loss(logits, batch.labels[part], protocol=self.protocol).view(1)

        return {"loss": self.sum_losses(losses, len(images))[0]}
