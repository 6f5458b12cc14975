"""What an accelerator multiplies in: float32, tf32 or bf16; the CPU always in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import torch

from morphobench.errors import InputError
from morphobench.types import PRECISIONS, Precision

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def require_precision(precision: Precision, device: torch.device) -> None:
    """InputError for an unknown precision, and for one that ``device`` has not."""
    if precision not in PRECISIONS:
        raise InputError(f"precision: one of {', '.join(PRECISIONS)} wanted, got {precision!r}")
    if precision != "float32" and device.type != "cuda":
        raise InputError(f"precision: float32 wanted on {device}, got {precision}, which is for CUDA devices")
    if precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise InputError(f"precision: float32 or tf32 wanted, {device} computes no bf16")


@contextmanager
def matrix_products(precision: Precision, device: torch.device) -> Iterator[None]:
    """Within it CUDA's matrix products and convolutions take float32 as it is, or as tf32 where asked.

    PyTorch's own default is neither: convolutions in tf32, matrix products not.
    """
    if device.type != "cuda":
        yield
        return
    cudnn: Any = torch.backends.cudnn
    places: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv)
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value


def in_precision(
    function: Callable[_Arguments, _Result], precision: Precision, device: torch.device
) -> Callable[_Arguments, _Result]:
    """``function`` itself, or under autocast where bf16 is asked; weights, gradients, losses stay float32."""
    if precision != "bf16":
        return function

    def cast(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            return function(*arguments, **named)

    return cast
