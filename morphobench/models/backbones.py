"""Encoders by name: the study's, others of the field, a small family, and ``package.module:factory``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any, Protocol, cast, runtime_checkable

from torch import nn

from morphobench._util.plugins import load_plugin
from morphobench.errors import InputError
from morphobench.models.batch_norm_cnn import BatchNormCNN, has_batch_norm
from morphobench.models.small_cnn import FAMILY, SmallBackbone, is_small, small_specs
from morphobench.models.study_encoder import Encoder

EncoderFactory = Callable[[int, int], nn.Module]
"""(channels, size_px) to an encoder with ``embedding_size`` D, that maps float32 (N, C, S, S) to (N, D)."""


@runtime_checkable
class Embeds(Protocol):
    """What a factory must return beside a module: one that says how long its embeddings are."""

    embedding_size: int


@runtime_checkable
class NamedEncoder(Embeds, Protocol):
    """An encoder that says how to make it again, as ``make_encoder`` leaves it."""

    encoder_name: str
    channels: int
    size_px: int


def _study(channels: int, size_px: int) -> nn.Module:
    return Encoder(channels, size_px=size_px)


def _resnet18(channels: int, size_px: int) -> nn.Module:
    """Torchvision's ResNet-18 without its classifier; D = 512 (He et al. 2016, "Deep residual learning")."""
    from torchvision.models import resnet18  # slow to import, and most runs need none

    del size_px  # any size: it ends in a mean over the image
    network: nn.Module = resnet18(weights=None)
    network.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    network.fc = nn.Identity()
    network.embedding_size = 512  # type: ignore[assignment]
    return network


def _vit_small(channels: int, size_px: int) -> nn.Module:
    """Torchvision's vision transformer: 8 px patches, 4 blocks of 4 heads; D = 192.

    Dosovitskiy et al. 2021, "An image is worth 16x16 words".
    """
    from torchvision.models import VisionTransformer  # slow to import, and most runs need none

    if size_px % 8:
        raise InputError(f"size_px must be a multiple of 8 for vit_small, got {size_px}")
    network: nn.Module = VisionTransformer(
        image_size=size_px, patch_size=8, num_layers=4, num_heads=4, hidden_dim=192, mlp_dim=768
    )
    network.conv_proj = nn.Conv2d(channels, 192, 8, stride=8)
    network.heads = nn.Identity()
    network.embedding_size = 192  # type: ignore[assignment]
    return network


ENCODERS: dict[str, EncoderFactory] = {
    "study": _study,
    "batch_norm_cnn": BatchNormCNN,
    "resnet18": _resnet18,
    "vit_small": _vit_small,
}
"""By name; ``study`` is the default everywhere."""


def _factory(name: str) -> tuple[str, EncoderFactory]:
    """The one name of an encoder, and what makes it."""
    if name in ENCODERS:
        return name, ENCODERS[name]
    if is_small(name):
        specs = list(small_specs(name))
        if len(specs) != 1:
            raise InputError(f"encoder must be one of the family {FAMILY}, got {len(specs)} by {name!r}")
        return specs[0].name, partial(SmallBackbone, specs[0])
    if ":" not in name:
        known = ", ".join((*ENCODERS, FAMILY))
        raise InputError(f"encoder must be one of {known}, or 'package.module:factory', got {name!r}")
    found: EncoderFactory = load_plugin(name, label="encoder")
    return name, found


def _label(factory: Any) -> str:
    """A name for a factory that is the same in another process."""
    if isinstance(factory, partial):
        arguments = [
            *map(repr, factory.args),
            *(f"{key}={value!r}" for key, value in factory.keywords.items()),
        ]
        return f"{_label(factory.func)}({', '.join(arguments)})"
    owner = factory if isinstance(factory, FunctionType | type) else type(factory)
    return f"{owner.__module__}:{owner.__qualname__}"


def encoder_names(name: str) -> tuple[str, ...]:
    """List the encoders that a name means.

    Args:
        name: of an encoder, or of several of a family.

    Returns:
        Itself, or those of the family.

    Raises:
        InputError: for an unknown name.
    """
    if is_small(name):
        return tuple(spec.name for spec in small_specs(name))
    _factory(name)
    return (name,)


def make_encoder(name: str | EncoderFactory, channels: int, size_px: int) -> nn.Module:
    """Make an encoder with its initial weights from PyTorch's generator.

    Args:
        name: one of ``ENCODERS``, one of the family ``small`` (``morphobench.models.small_cnn``),
            ``"package.module:factory"``, or a factory itself: a callable of ``channels`` and ``size_px``.
        channels: C.
        size_px: S.

    Returns:
        A module whose attributes ``encoder_name``, ``channels`` and ``size_px`` say how to make it again.

    Raises:
        InputError: for an unknown name, or an encoder without ``embedding_size``.
    """
    label, factory = _factory(name) if isinstance(name, str) else (_label(name), name)
    made: Any = factory(channels, size_px)
    if (
        not isinstance(made, nn.Module)
        or not isinstance(made, Embeds)
        or not isinstance(made.embedding_size, int)
    ):
        raise InputError(
            f"encoder {label} must be a module with an int embedding_size, got {type(made).__name__}"
        )
    encoder: Any = made
    encoder.encoder_name, encoder.channels, encoder.size_px = label, channels, size_px
    return cast(nn.Module, encoder)


def encoder_identity(encoder: nn.Module) -> dict[str, str]:
    """Describe an encoder, so that two runs can tell whether they train the same one.

    Args:
        encoder: as ``make_encoder`` returned it.

    Returns:
        Its name, and a digest of the names and shapes of its parameters and buffers.
    """
    shapes = ";".join(f"{name} {tuple(tensor.shape)}" for name, tensor in encoder.state_dict().items())
    return {
        "encoder": encoder.encoder_name if isinstance(encoder, NamedEncoder) else _label(type(encoder)),
        "encoder_shapes": hashlib.sha256(shapes.encode()).hexdigest()[:16],
    }


def needs_whole_batch(encoder: nn.Module) -> bool:
    """Tell whether parts of a batch would change what an encoder computes.

    Args:
        encoder: the network.

    Returns:
        Whether it has batch statistics, or random numbers that follow the order.
    """
    return has_batch_norm(encoder) or any(
        isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0 for module in encoder.modules()
    )
