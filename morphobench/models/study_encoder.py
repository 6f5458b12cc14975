"""The study's encoder: four 3x3 convolutions from an image to its embedding."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from morphobench.errors import InputError
from morphobench.models import fused_layers as layers
from morphobench.models.microbatch import MICRO_BATCH, concatenated

IMAGE_SIZE_PX = 64
"""Height and width of the study's images."""


class Encoder(nn.Module):
    """Convolutions C->64->32->16->8, each 3x3 with padding 1, with two 2x2 max-pools.

    Maps float32 (N, C, S, S) in [0, 1] to (N, D), the flattened (8, S/4, S/4) feature map; D is 2048 for
    S = 64. The parameters are named ``0``, ``3``, ``6`` and ``8``, the places that the study's program gives
    them.

    Attributes:
        encoder_name: the name that ``make_encoder`` takes.
        channels: C.
        size_px: S.
        embedding_size: D.
        embed_batch_size: images that `embed` passes at a time on a CPU.
    """

    embed_batch_size: ClassVar[int] = 1024  # large, as each batch is split over the cores and waited for

    def __init__(self, channels: int = 1, *, size_px: int = IMAGE_SIZE_PX) -> None:
        """Make the layers with PyTorch's default initialization.

        Args:
            channels: C.
            size_px: S, a multiple of 4.

        Raises:
            InputError: for no channels, or another size.
        """
        super().__init__()
        if channels < 1:
            raise InputError(f"channels must be at least 1, got {channels}")
        if size_px < 4 or size_px % 4:
            raise InputError(f"size_px must be a positive multiple of 4, got {size_px}")
        self.encoder_name = "study"
        self.channels = channels
        self.size_px = size_px
        self.feature_shape = (8, size_px // 4, size_px // 4)
        self.embedding_size = 8 * (size_px // 4) ** 2
        for name, (inputs, outputs) in {
            "0": (channels, 64),
            "3": (64, 32),
            "6": (32, 16),
            "8": (16, 8),
        }.items():
            self.add_module(name, nn.Conv2d(inputs, outputs, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """Embed images; without gradients, on a CPU, on all its cores.

        Args:
            images: float32 (N, C, S, S) in [0, 1].

        Returns:
            float32 (N, D).
        """
        if torch.is_grad_enabled() or images.device.type != "cpu" or torch.compiler.is_exporting():
            return self._embed(images)
        parts = [slice(start, start + MICRO_BATCH) for start in range(0, len(images), MICRO_BATCH)]
        if len(parts) < 2:
            return self._embed(images)
        return concatenated(self._embed, images, parts)

    def _embed(self, images: Tensor) -> Tensor:
        first, second, third, last = (cast(nn.Conv2d, self.get_submodule(name)) for name in "0368")
        hidden = layers.conv_pool_stem(images, first.weight, cast(Tensor, first.bias))
        hidden = layers.max_pool_relu(second(hidden))
        hidden = functional.relu(third(hidden))
        embeddings: Tensor = last(hidden).flatten(1)
        return embeddings
