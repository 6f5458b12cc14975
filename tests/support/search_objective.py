"""An objective with a setting that spoils it, so that a search has something to find and to prune."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from morphobench.errors import InputError
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.protocol import Batch


class Planted(BaseObjective):
    """Makes embeddings large; ``broken`` zeroes the encoder after every step."""

    name: ClassVar[str] = "planted"
    needs_labels: ClassVar[bool] = False

    def __init__(self, *, broken: bool = False, size: int = 1, **options: Any) -> None:
        if not 1 <= size <= 9:
            raise InputError(f"size must be 1 to 9, got {size}")
        self.broken = broken
        super().__init__(**options)

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Tensor:
        return -self.encoder(views[0]).square().mean()

    def after_update(self) -> None:
        if self.broken:
            with torch.no_grad():
                for weights in self.encoder.parameters():
                    weights.zero_()
