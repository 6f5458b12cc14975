"""Small backbones to compare with the study's encoder: three kinds of block, two to four of them.

The study timed nine other small backbones without naming them in what we build on; these nine are our own. A
name says which: ``small:kind=residual,depth=4,pool=average,channels=64``; what it leaves out has its default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from morphobench.errors import InputError

FAMILY = "small"
KINDS = ("plain", "residual", "separable")
DEPTHS = (2, 3, 4)
POOLS = ("max", "average")
CHANNELS = range(8, 257)
GRID = 4
"""Rows and columns of the last feature map, whatever the depth: D = 16 x channels."""


@dataclass(frozen=True)
class SmallSpec:
    """One backbone of the family.

    Attributes:
        kind: "plain" (3x3 convolution), "residual" (two of them around a skip; He et al. 2016) or "separable"
            (3x3 for each channel, then 1x1; Howard et al. 2017, MobileNets).
        depth: 2 to 4 blocks, each followed by ReLU and a 2x2 pool.
        pool: "max" or "average".
        channels: 8 to 256, the same in every block.
    """

    kind: str = "plain"
    depth: int = 3
    pool: str = "max"
    channels: int = 32

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value not in _KNOWN[name]:
                raise InputError(f"encoder: {name} of {FAMILY} must be {_shown(name)}, got {value!r}")

    @property
    def name(self) -> str:
        """The one name of this backbone, without what has its default."""
        defaults = {field.name: field.default for field in fields(self)}
        given = [f"{name}={value}" for name, value in vars(self).items() if value != defaults[name]]
        return f"{FAMILY}:{','.join(given)}" if given else FAMILY


_KNOWN: dict[str, Any] = {"kind": KINDS, "depth": DEPTHS, "pool": POOLS, "channels": CHANNELS}


def _shown(name: str) -> str:
    known = _KNOWN[name]
    return f"{known[0]} to {known[-1]}" if isinstance(known, range) else ", ".join(map(str, known))


def is_small(name: str) -> bool:
    """Tell whether a name is of this family.

    Args:
        name: of an encoder.

    Returns:
        Whether :func:`small_specs` takes it.
    """
    return name == FAMILY or name.startswith(f"{FAMILY}:")


def small_specs(name: str) -> Iterator[SmallSpec]:
    """Yield every backbone that a name means: one, or all combinations where it has several values.

    Args:
        name: such as ``small:kind=*,depth=*``, which means the nine. ``*`` stands for all values (of
            channels: 8, 16, ... 256), ``pool=max+average`` for those named.

    Yields:
        The backbones.

    Raises:
        InputError: for an option or value that the family does not have.
    """
    several: dict[str, list[Any]] = {}
    _, _, text = name.partition(":")
    for part in filter(None, text.split(",")):
        key, equals, values = part.partition("=")
        if key not in _KNOWN or not equals or key in several:
            raise InputError(
                f"encoder must be {FAMILY}:NAME=VALUE,... with each of {', '.join(_KNOWN)} at most once, "
                f"got {name!r}"
            )
        if values == "*":
            several[key] = [8 * 2**power for power in range(6)] if key == "channels" else list(_KNOWN[key])
        else:
            several[key] = [int(value) if value.isdigit() else value for value in values.split("+")]
    for chosen in product(*several.values()):
        yield SmallSpec(**dict(zip(several, chosen, strict=True)))


class _Block(nn.Module):
    """Map (N, inputs, H, W) to (N, channels, H, W), rectified."""

    def __init__(self, kind: str, inputs: int, channels: int) -> None:
        super().__init__()
        self.skip: nn.Module | None = None
        if kind == "separable":
            self.body = nn.Sequential(
                nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs), nn.Conv2d(inputs, channels, 1)
            )
        elif kind == "residual":
            self.body = nn.Sequential(
                nn.Conv2d(inputs, channels, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1),
            )
            self.skip = nn.Identity() if inputs == channels else nn.Conv2d(inputs, channels, 1)
        else:
            self.body = nn.Sequential(nn.Conv2d(inputs, channels, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """The block's features."""
        features = self.body(images)
        return functional.relu(features if self.skip is None else features + self.skip(images))


class SmallBackbone(nn.Module):
    """``spec``'s blocks and pools, then a like pool to a 4x4 grid: (N, C, S, S) to (N, 16 channels).

    Without batch statistics, so that it trains in micro-batches.

    Attributes:
        embedding_size: D.
    """

    def __init__(self, spec: SmallSpec, channels: int, size_px: int) -> None:
        """Make the layers.

        Args:
            spec: which backbone of the family.
            channels: C.
            size_px: S.

        Raises:
            InputError: for a size that the pools bring below one pixel.
        """
        super().__init__()
        if size_px < 2**spec.depth:
            raise InputError(f"size_px must be at least {2**spec.depth} for {spec.name}, got {size_px}")
        inputs = [channels, *[spec.channels] * (spec.depth - 1)]
        self.blocks = nn.ModuleList(_Block(spec.kind, count, spec.channels) for count in inputs)
        average = spec.pool == "average"
        self._pool = functional.avg_pool2d if average else functional.max_pool2d
        self.grid = nn.AdaptiveAvgPool2d(GRID) if average else nn.AdaptiveMaxPool2d(GRID)
        self.embedding_size = spec.channels * GRID**2

    def forward(self, images: Tensor) -> Tensor:
        """Embed images.

        Args:
            images: float32 (N, C, S, S).

        Returns:
            float32 (N, D).
        """
        features = images
        for block in self.blocks:
            features = self._pool(block(features), 2)
        return torch.flatten(self.grid(features), 1)
