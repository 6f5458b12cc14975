"""What stands behind the encoder during training: decoder, classifier, projector and predictor."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from morphobench.models import fused_layers as layers
from morphobench.models.study_encoder import IMAGE_SIZE_PX

CLASSES = 2
"""Class 0 is control, class 1 is drug."""


class Decoder(nn.Module):
    """Transposed 3x3 convolutions 8->32->64->64->C with upsampling x2 (nearest) after the first two ReLUs.

    Maps embeddings (N, 8 * (S/4)^2) to *logits* (N, C, S, S): their sigmoid is the reconstruction. The
    parameters are named ``0``, ``3``, ``6`` and ``8``; weights are (in, out, 3, 3), as transposed
    convolutions have them.
    """

    def __init__(self, channels: int = 1, *, size_px: int = IMAGE_SIZE_PX) -> None:
        """Make the layers.

        Args:
            channels: C.
            size_px: S, a multiple of 4.
        """
        super().__init__()
        self.feature_shape = (8, size_px // 4, size_px // 4)
        for name, (inputs, outputs) in {
            "0": (8, 32),
            "3": (32, 64),
            "6": (64, 64),
            "8": (64, channels),
        }.items():
            self.add_module(name, nn.ConvTranspose2d(inputs, outputs, 3, padding=1))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Decode embeddings.

        Args:
            embeddings: (N, 8 * (S/4)^2).

        Returns:
            Logits of the reconstructions, (N, C, S, S).
        """
        (first, second, third, last) = (
            (layer.weight, cast(Tensor, layer.bias))
            for layer in (cast(nn.ConvTranspose2d, self.get_submodule(name)) for name in "0368")
        )
        small = embeddings.view(-1, *self.feature_shape).contiguous(memory_format=torch.channels_last)
        hidden = functional.relu(layers.transposed(small, *first))
        hidden = layers.pixel_shuffle(layers.subpixel_grid(hidden, *second))
        return layers.output_conv(layers.subpixel_grid(hidden, *third), *last)


class Classifier(nn.Module):
    """Linear D->256, LeakyReLU, Linear 256->2: logits (N, 2) of embeddings (N, D)."""

    def __init__(
        self, inputs: int, *, hidden: int = 256, slope: float = 0.01, names: tuple[str, str] = ("1", "3")
    ) -> None:
        """Make the layers.

        Args:
            inputs: D.
            hidden: features of the hidden layer.
            slope: of the LeakyReLU for negative values; the study's deep classifier has 1, the identity.
            names: of the two layers: (10, 12) behind the encoder of the deep classifier, (1, 3) on its own.
        """
        super().__init__()
        self.slope = slope
        self.names = names
        self.add_module(names[0], nn.Linear(inputs, hidden))
        self.add_module(names[1], nn.Linear(hidden, CLASSES))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Classify embeddings.

        Args:
            embeddings: (N, D).

        Returns:
            Logits of control and drug, (N, 2).
        """
        first, last = (self.get_submodule(name) for name in self.names)
        hidden = first(embeddings)
        if self.slope != 1.0:
            hidden = functional.leaky_relu(hidden, self.slope)
        logits: Tensor = last(hidden)
        return logits


class Projection(nn.Module):
    """Linear, BatchNorm, ReLU, Linear, named ``0``, ``1``, ``3``: BYOL's projector and its predictor.

    Grill et al. 2020, "Bootstrap your own latent", section 3.3 and appendix J (there 4096 hidden and 256
    outputs).
    """

    def __init__(self, inputs: int, *, hidden: int = 2048, outputs: int = 64) -> None:
        """Make the layers.

        Args:
            inputs: features of the vectors.
            hidden: features of the hidden layer.
            outputs: features of the result.
        """
        super().__init__()
        self.add_module("0", nn.Linear(inputs, hidden))
        self.add_module("1", nn.BatchNorm1d(hidden))
        self.add_module("3", nn.Linear(hidden, outputs))

    def forward(self, vectors: Tensor, *, groups: int = 1) -> Tensor:
        """Project vectors.

        Args:
            vectors: (N, inputs).
            groups: equal parts of the batch, each with BatchNorm statistics of its own.

        Returns:
            (N, outputs).
        """
        first, norm, last = (self.get_submodule(name) for name in ("0", "1", "3"))
        normalized = [functional.relu(norm(hidden)) for hidden in first(vectors).chunk(groups)]
        projected: Tensor = last(torch.cat(normalized))
        return projected
