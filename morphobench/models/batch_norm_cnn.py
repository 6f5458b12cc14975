"""A small encoder with BatchNorm, and the statistics of BatchNorm taken anew over a set of images."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from morphobench.errors import InputError

_WIDTHS = (16, 32, 64, 128)


class BatchNormCNN(nn.Module):
    """Four blocks of 3x3 convolution, BatchNorm, ReLU and 2x2 max-pool, then the mean over the image.

    Maps float32 (N, C, S, S) in [0, 1] to (N, 128). BatchNorm (Ioffe and Szegedy 2015) lets it train with
    learning rates thirty times the study's, so that it learns in a few epochs of a few thousand images.

    Attributes:
        embedding_size: D, 128.
    """

    embedding_size = _WIDTHS[-1]

    def __init__(self, channels: int, size_px: int) -> None:
        """Make the layers.

        Args:
            channels: C.
            size_px: S, at least 16.

        Raises:
            InputError: for a smaller size.
        """
        super().__init__()
        if size_px < 2 ** len(_WIDTHS):
            raise InputError(
                f"size_px must be at least {2 ** len(_WIDTHS)} for batch_norm_cnn, got {size_px}"
            )
        layers: list[nn.Module] = []
        inputs = channels
        for outputs in _WIDTHS:
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),  # BatchNorm has the bias
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            inputs = outputs
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Embed images.

        Args:
            images: float32 (N, C, S, S).

        Returns:
            float32 (N, 128).
        """
        features: Tensor = self.layers(images)
        return features.mean((2, 3))


def has_batch_norm(network: nn.Module) -> bool:
    """Tell whether a network holds BatchNorm layers.

    Args:
        network: any.

    Returns:
        Whether it does.
    """
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def with_statistics_of(network: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Copy a network and take the statistics of its BatchNorm layers anew, over given images.

    For an untrained network, whose running statistics are those of no data, and for images of one plate,
    whose brightness and contrast then no longer tell it from other plates. All batches count alike.

    Args:
        network: left as it is.
        batches: float32 (N, C, S, S) each, at least one.

    Returns:
        The copy, in evaluation mode.
    """
    made = copy.deepcopy(network)
    layers = [module for module in made.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over batches
    made.train()
    with torch.no_grad():
        for batch in batches:
            made(batch)
    return made.eval()
