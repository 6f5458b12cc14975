"""A paradigm from outside the package: the embedding of an image and of its mirror image shall agree."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from morphobench.objectives import BaseObjective, Batch


class Outside(BaseObjective):
    name: ClassVar[str] = "outside"
    needs_labels: ClassVar[bool] = False

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Tensor:
        (images,) = views
        return (self.encoder(images) - self.encoder(images.flip(-1))).square().mean()
