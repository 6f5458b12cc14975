"""Masked autoencoder: reconstruct the patches of an image that were hidden from the encoder."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from morphobench.errors import InputError
from morphobench.objectives.losses import masked_loss
from morphobench.objectives.registry import register
from morphobench.objectives.unsupervised import Unsupervised


def draw_masks(
    images: int, *, size_px: int, patch_px: int, ratio: float, seed: int, step: int, batch: int = 0
) -> Tensor:
    """Draw which pixels are hidden: round(ratio x patches) patches of each image.

    Without replacement and uniformly, as He et al. 2022 sample (section 3, "Masking").

    Args:
        images: N.
        size_px: S, a multiple of ``patch_px``.
        patch_px: height and width of a patch.
        ratio: share of the patches that is hidden.
        seed: of the draw, together with ``step`` and ``batch``.
        step: of the optimizer.
        batch: number of the batch within the step.

    Returns:
        bool (N, 1, S, S), True where hidden.
    """
    side = size_px // patch_px
    order = (
        np.random.default_rng((seed, step, batch) if batch else (seed, step))
        .random((images, side * side))
        .argsort(1)
    )
    hidden = torch.from_numpy(order < round(ratio * side * side)).view(images, 1, side, side)
    return hidden.repeat_interleave(patch_px, 2).repeat_interleave(patch_px, 3)


@register("masked_autoencoder")
class MaskedAutoencoder(Unsupervised):
    """Encoder and decoder of ``unsupervised``, with most of each image hidden; both protocols alike.

    He et al. 2022, "Masked autoencoders are scalable vision learners". A convolutional encoder cannot skip
    hidden patches, so it sees zeros there. Masks depend on seed and step only; validation always uses the
    same ones. Parameters: ``encoder.*``, ``decoder.*``. Terms: ``loss``.
    """

    name: ClassVar[str] = "masked_autoencoder"

    def __init__(self, *, mask_ratio: float = 0.75, patch_px: int = 8, **options: Any) -> None:
        """Make the networks.

        Args:
            mask_ratio: share of the patches that is hidden; the default is the paper's.
            patch_px: height and width of a patch; divides the image's side.
            **options: those of every objective.

        Raises:
            InputError: for patches that do not divide the image, or none hidden.
        """
        size_px = options.get("size_px", 64)
        if patch_px < 1 or size_px % patch_px:
            raise InputError(f"patch_px must divide {size_px}, got {patch_px}")
        if not 1 <= round(mask_ratio * (size_px // patch_px) ** 2) <= (size_px // patch_px) ** 2:
            raise InputError(f"mask_ratio must be at most 1 and hide a patch, got {mask_ratio}")
        self.mask_ratio = mask_ratio
        self.patch_px = patch_px
        self._batches_of_step = 0
        super().__init__(**options)

    def _accumulate(self, images: Tensor) -> dict[str, Tensor]:
        # each batch of a step has masks of its own, and validation has masks that no step has
        step = self.steps + 1 if torch.is_grad_enabled() else 0
        hidden = draw_masks(
            len(images),
            size_px=self.size_px,
            patch_px=self.patch_px,
            ratio=self.mask_ratio,
            seed=self.seed,
            step=step,
            batch=self._batches_of_step if step else 0,
        ).to(images.device, non_blocking=True)
        self._batches_of_step += 1 if step else 0

        def losses(part: slice) -> Tensor:
            seen = images[part].masked_fill(hidden[part], 0)
            return masked_loss(self.decoder(self.encoder(seen)), images[part], hidden[part]).view(1)

        return {"loss": self.sum_losses(losses, len(images))[0]}

    def after_update(self) -> None:
        """Count the batches of the next step from 0."""
        self._batches_of_step = 0
