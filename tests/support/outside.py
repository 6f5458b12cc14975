"""A paradigm from outside the package: the embedding of an image and of its mirror image shall agree."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from morphobench.objectives import BaseObjective


class Outside(BaseObjective):
    name: ClassVar[str] = "outside"
    needs_labels: ClassVar[bool] = False

    def build(self) -> None:
        self.networks.append(("encoder", self.encoder))
        self.optimize("adam", self.encoder)

    def accumulate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:
        loss = self.evaluate(views, labels)["loss"]
        loss.backward()
        return {"loss": loss.detach()}

    def evaluate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:
        (images,) = views
        return {"loss": (self.encoder(images) - self.encoder(images.flip(-1))).square().mean()}
