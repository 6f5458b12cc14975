"""What every peer is asked to make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

BLUR_SIGMA = (0.1, 2.0)


@dataclass(frozen=True)
class Case:
    """What is made: views of ``size_px`` from images of ``image_px``, one view a scale."""

    name: str
    image_px: int
    channels: int
    size_px: int
    images: int
    scales: tuple[tuple[float, float], ...]
    flip: float = 0.5
    blur: float = 0.2


Peer = Callable[[np.ndarray], list[torch.Tensor]]
"""uint8 (N, C, H, W) -> the views, each float32 (N, C, size_px, size_px) in [0, 1]."""
