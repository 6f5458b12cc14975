"""Precision of matrix products: float32, on CUDA devices also tf32 or bf16."""

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
    """Check that a device computes in a precision.

    Args:
        precision: one of ``types.PRECISIONS``.
        device: where training takes place.

    Raises:
        InputError: for an unknown precision, and one that the device does not have.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision != "float32" and device.type != "cuda":
        raise InputError(f"precision must be float32 on {device}, got {precision}, which is for CUDA devices")
    if precision == "bf16" and not torch.cuda.is_bf16_supported():
        raise InputError(f"precision must be float32 or tf32 on {device}, which computes no bf16, got bf16")


@contextmanager
def matrix_products(precision: Precision, device: torch.device) -> Iterator[None]:
    """Let CUDA's matrix products and convolutions compute in float32, or in tf32 where asked.

    PyTorch's own default is neither: convolutions in tf32, matrix products not.

    Args:
        precision: of the products within the block.
        device: nothing changes unless it is a CUDA device.

    Yields:
        None: the block runs in between.
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
    """Put a function under autocast where bf16 is asked; weights, gradients and losses stay float32.

    Args:
        function: a step or a validation.
        precision: to compute in.
        device: where it computes.

    Returns:
        The function itself for other precisions.
    """
    if precision != "bf16":
        return function

    def cast(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            return function(*arguments, **named)

    return cast
