"""Masked autoencoder: reconstruct the patches of an image that were hidden from the encoder."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from morphobench.errors import InputError
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.registry import register


def draw_masks(
    images: int, *, size_px: int, patch_px: int, ratio: float, seed: int, step: int, batch: int = 0
) -> Tensor:
    """Which pixels are hidden, bool (N, 1, S, S): round(ratio x patches) patches of each image, drawn by
    (seed, step), and by ``batch`` for further batches of a step.

    Without replacement and uniformly, as He et al. 2022 sample (section 3, "Masking").
    """
    side = size_px // patch_px
    order = (
        np.random.default_rng((seed, step, batch) if batch else (seed, step))
        .random((images, side * side))
        .argsort(1)
    )
    hidden = torch.from_numpy(order < round(ratio * side * side)).view(images, 1, side, side)
    return hidden.repeat_interleave(patch_px, 2).repeat_interleave(patch_px, 3)


def masked_loss(logits: Tensor, images: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error of sigmoid(logits) over each image's hidden pixels, summed over the images.

    He et al. 2022, "Masked autoencoders are scalable vision learners", section 3, "Reconstruction
    target": the loss is computed on masked patches only. All images have equally many.
    """
    squared = (logits.sigmoid() - images).square() * hidden
    return squared.sum() / (hidden[0].sum() * images.shape[1])


@register("masked_autoencoder")
class MaskedAutoencoder(BaseObjective):
    """Encoder and decoder of ``unsupervised``, with most of each image hidden; both protocols alike.

    A convolutional encoder can't skip hidden patches, so it sees zeros there. ``mask_ratio``: default
    0.75, the paper's. ``patch_px``: default 8, which divides the image's side. Parameters: ``encoder.*``,
    ``decoder.*``. Terms: ``loss``. Masks depend on seed and step only; validation always uses the same
    ones.
    """

    name: ClassVar[str] = "masked_autoencoder"
    needs_labels: ClassVar[bool] = False

    def __init__(self, *, mask_ratio: float = 0.75, patch_px: int = 8, **options: Any) -> None:
        size_px = options.get("size_px", 64)
        if patch_px < 1 or size_px % patch_px:
            raise InputError(f"patch_px: a divisor of {size_px} wanted, got {patch_px}")
        if not 1 <= round(mask_ratio * (size_px // patch_px) ** 2) <= (size_px // patch_px) ** 2:
            raise InputError(f"mask_ratio: up to 1 and at least one patch wanted, got {mask_ratio}")
        self.mask_ratio = mask_ratio
        self.patch_px = patch_px
        self._held = 0
        super().__init__(**options)

    def build(self) -> None:
        """The decoder, and one Adam over both networks."""
        self.networks.append(("encoder", self.encoder))
        self.decoder = self.add_decoder()
        self.optimize("adam", self.encoder, self.decoder)

    def accumulate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """Gradients of the mean loss over hidden pixels; each batch before an update has masks of its own."""
        self._held += 1
        return self._loss(views[0], self.steps + 1, self._held - 1)

    def after_update(self) -> None:
        """The next batch is the first one of a step."""
        self._held = 0

    def evaluate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """The loss under the masks that no step has."""
        return self._loss(views[0], 0)

    def _loss(self, images: Tensor, step: int, batch: int = 0) -> dict[str, Tensor]:
        hidden = draw_masks(
            len(images),
            size_px=self.size_px,
            patch_px=self.patch_px,
            ratio=self.mask_ratio,
            seed=self.seed,
            step=step,
            batch=batch,
        ).to(images.device, non_blocking=True)

        def losses(part: slice) -> Tensor:
            seen = images[part].masked_fill(hidden[part], 0)
            return masked_loss(self.decoder(self.encoder(seen)), images[part], hidden[part]).view(1)

        return {"loss": self.sum_losses(losses, len(images))[0]}
