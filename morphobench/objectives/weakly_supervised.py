"""Weakly supervised: tell drug images from control images."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from morphobench.models import Classifier
from morphobench.objectives.base import BaseObjective, classification_loss
from morphobench.objectives.registry import register


@register("weakly_supervised")
class WeaklySupervised(BaseObjective):
    """Encoder and classifier under cross-entropy of drug against control.

    ``reference-1``: softmax before the cross-entropy, and a LeakyReLU of slope 1. Parameters: ``model.0`` to
    ``model.8`` (encoder), ``model.10`` and ``model.12`` (classifier). Terms: ``loss``.
    """

    name: ClassVar[str] = "weakly_supervised"

    def build(self) -> None:
        """The classifier, and one Adam over both networks."""
        slope = 1.0 if self.protocol == "reference-1" else 0.01
        self.networks.append(("model", self.encoder))
        self.classifier = self.add(
            "model", "classifier", lambda: Classifier(self.embedding_size, slope=slope, names=("10", "12"))
        )
        self.optimize("adam", self.encoder, self.classifier)

    def _loss(self, images: Tensor, labels: Tensor) -> Tensor:
        logits = self.classifier(self.encoder(images))
        return classification_loss(logits, labels, protocol=self.protocol)

    def accumulate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:
        """Gradients of the mean cross-entropy."""
        (images,) = views
        total = torch.zeros((), device=images.device)
        for part in self.parts(len(images)):
            loss = self._loss(images[part], labels[part]) / len(images)
            torch.autograd.backward(loss)
            total += loss.detach()
        return {"loss": total}

    def evaluate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:
        """The mean cross-entropy."""
        (images,) = views
        losses = [self._loss(images[part], labels[part]) for part in self.parts(len(images))]
        return {"loss": torch.stack(losses).sum() / len(images)}
