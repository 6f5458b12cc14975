"""Encoders by name: the study's, others of the field, a small family, and ``package.module:factory``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from torch import nn

from morphobench.errors import InputError
from morphobench.models.small_cnn import FAMILY, SmallBackbone, is_small, small_specs
from morphobench.models.study_encoder import Encoder

EncoderFactory = Callable[[int, int], nn.Module]
"""(channels, size_px) to an encoder with ``embedding_size`` D, that maps float32 (N, C, S, S) to (N, D)."""


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
    """Torchvision's vision transformer: 8 px patches, 4 blocks of 4 heads, D = 192 (Dosovitskiy et al.
    2021).
    """
    from torchvision.models import VisionTransformer  # slow to import, and most runs need none

    if size_px % 8:
        raise InputError(f"size_px: a multiple of 8 wanted for vit_small, got {size_px}")
    network: nn.Module = VisionTransformer(
        image_size=size_px, patch_size=8, num_layers=4, num_heads=4, hidden_dim=192, mlp_dim=768
    )
    network.conv_proj = nn.Conv2d(channels, 192, 8, stride=8)
    network.heads = nn.Identity()
    network.embedding_size = 192  # type: ignore[assignment]
    return network


ENCODERS: dict[str, EncoderFactory] = {"study": _study, "resnet18": _resnet18, "vit_small": _vit_small}
"""By name; ``study`` is the default everywhere."""


def _factory(name: str) -> tuple[str, EncoderFactory]:
    """The one name of an encoder, and what makes it."""
    if name in ENCODERS:
        return name, ENCODERS[name]
    if is_small(name):
        specs = list(small_specs(name))
        if len(specs) != 1:
            raise InputError(f"encoder: one of the family {FAMILY} wanted, got {len(specs)} by {name!r}")
        return specs[0].name, partial(SmallBackbone, specs[0])
    if ":" not in name:
        known = ", ".join((*ENCODERS, FAMILY))
        raise InputError(f"encoder: one of {known}, or 'package.module:factory' wanted, got {name!r}")
    module, _, attribute = name.partition(":")
    try:
        found: EncoderFactory = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"encoder: importable 'package.module:factory' wanted, got {name!r} ({error})"
        ) from error
    return name, found


def encoder_names(name: str) -> tuple[str, ...]:
    """The encoders that ``name`` means: itself, or those of a family; InputError for an unknown one."""
    if is_small(name):
        return tuple(spec.name for spec in small_specs(name))
    _factory(name)
    return (name,)


def make_encoder(name: str | EncoderFactory, channels: int, size_px: int) -> nn.Module:
    """An encoder with its initial weights from PyTorch's generator.

    ``name``: one of ``ENCODERS``, one of the family ``small`` (`morphobench.models.small_cnn`),
    ``"package.module:factory"``, or a factory itself. The encoder's ``encoder_name``, ``channels`` and
    ``size_px`` say how to make it again. InputError for an unknown name, or an encoder without
    ``embedding_size``.
    """
    if isinstance(name, str):
        label, factory = _factory(name)
    else:
        factory = name
        label = f"{getattr(name, '__module__', '')}:{getattr(name, '__qualname__', 'factory')}"
    encoder: Any = factory(channels, size_px)
    if not isinstance(encoder, nn.Module) or not isinstance(getattr(encoder, "embedding_size", None), int):
        raise InputError(f"encoder: a module with an int embedding_size wanted, got {type(encoder).__name__}")
    made: nn.Module = encoder
    for key, value in {"encoder_name": label, "channels": channels, "size_px": size_px}.items():
        setattr(made, key, value)
    return made


def needs_whole_batch(encoder: nn.Module) -> bool:
    """Whether parts of a batch would change what it computes: batch statistics, or random numbers by
    order.
    """
    return any(
        isinstance(module, nn.modules.batchnorm._BatchNorm)
        or (isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0)
        for module in encoder.modules()
    )
