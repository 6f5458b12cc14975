"""The network's layers as exact algebra, with compiled kernels where a layer is bound by memory.

Three rewritings, each equal to the plain layers up to rounding. A max-pool stands before its ReLU. Nearest
upsampling x2 followed by a 3x3 convolution is one 2x2 convolution of the small image into four phases (2.25
times fewer multiply-adds). The first and the last convolution, whose feature images are as large as they
are cheap to compute, never write them. Features are the innermost axis throughout (``channels_last``).

The kernels run on the CPU in float32 and float64, on one thread, with the interpreter's lock released; on
other devices, under autocast and in an export the same algebra runs as PyTorch operations.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from morphobench import _core

_FEATURES = 32


def has_kernel(tensor: Tensor, features: int) -> bool:
    """Say whether the kernels take a tensor.

    Args:
        tensor: (N, ...).
        features: its innermost extent.

    Returns:
        False where PyTorch's own operations must serve.
    """
    return (
        not torch.compiler.is_exporting()  # asked first: len() would fix the number of images
        and tensor.device.type == "cpu"
        and tensor.dtype in (torch.float32, torch.float64)
        and features % _FEATURES == 0
        and len(tensor) > 0
        and not torch.is_autocast_enabled("cpu")
    )


def _features_last(tensor: Tensor) -> Tensor:
    """(N, F, H, W) as contiguous (N, H, W, F); no copy where the memory has that order already."""
    return tensor.detach().permute(0, 2, 3, 1).contiguous()


class _ConvPoolStem(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        images = images.detach().contiguous()
        count, _, height, width = images.shape
        out = images.new_empty(count, height // 2, width // 2, len(bias))
        choice = torch.empty(out.shape, dtype=torch.uint8)
        _core.conv_pool_stem_forward(
            images.numpy(), weight.detach().numpy(), bias.detach().numpy(), out.numpy(), choice.numpy()
        )
        ctx.save_for_backward(images, choice)
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        images, choice = ctx.saved_tensors
        features = gradient.shape[1]
        weight_gradient = images.new_empty(images.shape[1], 9, features)
        bias_gradient = images.new_empty(features)
        _core.conv_pool_stem_backward(
            images.numpy(),
            _features_last(gradient).numpy(),
            choice.numpy(),
            weight_gradient.numpy(),
            bias_gradient.numpy(),
        )
        return None, weight_gradient, bias_gradient


class _MaxPoolRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        last = _features_last(images)
        count, height, width, features = last.shape
        out = last.new_empty(count, height // 2, width // 2, features)
        choice = torch.empty(out.shape, dtype=torch.uint8)
        _core.max_pool_relu_forward(last.numpy(), out.numpy(), choice.numpy())
        ctx.save_for_backward(choice)
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (choice,) = ctx.saved_tensors
        count, height, width, features = choice.shape
        image_gradient = gradient.new_empty(count, 2 * height, 2 * width, features)
        _core.max_pool_relu_backward(_features_last(gradient).numpy(), choice.numpy(), image_gradient.numpy())
        return image_gradient.permute(0, 3, 1, 2)


class _PixelShuffle(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grid: Tensor) -> Tensor:
        count, rows, columns, _, features = grid.shape
        out = grid.new_empty(count, 2 * rows - 2, 2 * columns - 2, features)
        _core.pixel_shuffle_forward(grid.detach().numpy(), out.numpy())
        large = out.permute(0, 3, 1, 2)
        ctx.save_for_backward(large)
        return large

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (large,) = ctx.saved_tensors
        count, features, height, width = large.shape
        grid_gradient = gradient.new_empty(count, height // 2 + 1, width // 2 + 1, 4, features)
        _core.pixel_shuffle_backward(
            _features_last(gradient).numpy(), _features_last(large).numpy(), grid_gradient.numpy()
        )
        return grid_gradient


class _OutputConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grid: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        grid, weight = grid.detach(), weight.detach()
        count, rows, columns, _, _ = grid.shape
        logits = grid.new_empty(count, len(bias), 2 * rows - 2, 2 * columns - 2)
        _core.output_conv_forward(grid.numpy(), weight.numpy(), bias.detach().numpy(), logits.numpy())
        ctx.save_for_backward(grid, weight)
        return logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grid, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        grid_gradient, weight_gradient = torch.empty_like(grid), torch.empty_like(weight)
        _core.output_conv_backward(
            gradient.numpy(), grid.numpy(), weight.numpy(), grid_gradient.numpy(), weight_gradient.numpy()
        )
        return grid_gradient, weight_gradient, gradient.sum((0, 2, 3))


def conv_pool_stem(images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Apply a 3x3 convolution with padding 1, a 2x2 max-pool and ReLU.

    Args:
        images: (N, C, H, W), H and W even.
        weight: (F, C, 3, 3), as ``conv2d`` has it.
        bias: (F,).

    Returns:
        (N, F, H/2, W/2).
    """
    if images.requires_grad or not has_kernel(images, len(bias)):
        return max_pool_relu(functional.conv2d(images, weight, bias, padding=1))
    turned = weight.permute(1, 2, 3, 0).reshape(weight.shape[1], 9, len(bias)).contiguous()
    out: Tensor = _ConvPoolStem.apply(images, turned, bias)
    return out


def max_pool_relu(images: Tensor) -> Tensor:
    """Apply a 2x2 max-pool, then ReLU.

    Args:
        images: (N, F, H, W), H and W even.

    Returns:
        (N, F, H/2, W/2).
    """
    if not has_kernel(images, images.shape[1]):
        return functional.relu(functional.max_pool2d(images, 2))
    out: Tensor = _MaxPoolRelu.apply(images)
    return out


def transposed(images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Apply ``conv_transpose2d`` (stride 1, padding 1), as the convolution that it is.

    Args:
        images: (N, in, H, W).
        weight: (in, out, 3, 3).
        bias: (out,).

    Returns:
        (N, out, H, W).
    """
    return functional.conv2d(images, weight.flip(2, 3).transpose(0, 1), bias, padding=1)


@cache
def _taps(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Which of three taps fall on which of two pixels, by phase; made once: making it waits for a device."""
    with torch.inference_mode(mode=False):
        return torch.tensor([[[0, 0, 1], [1, 1, 0]], [[0, 1, 1], [1, 0, 0]]], dtype=dtype, device=device)


def _phase_weight(weight: Tensor) -> Tensor:
    """The 2x2 weights (4 out, in, 2, 2) of upsampling x2, then ``transposed``; ``weight`` (in, out, 3, 3).

    Row 2i + a of the large image sees rows 2i + a - 1, 2i + a, 2i + a + 1, which are copies of two rows of
    the small one: (i - 1, i, i) for a = 0, (i, i, i + 1) for a = 1. So two of the three taps add up.
    """
    taps = _taps(weight.dtype, weight.device)
    phases = torch.einsum("arp,bsq,iopq->aboirs", taps, taps, weight)
    return phases.reshape(4 * weight.shape[1], weight.shape[0], 2, 2)


def subpixel_grid(images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Upsample x2 (nearest), then apply ``transposed``; the result as a grid of subpixels.

    Pixel (2i + a, 2j + b) of the large image is subpixel 2a + b of cell (i + a, j + b).

    Args:
        images: (N, in, h, w).
        weight: (in, F, 3, 3).
        bias: (F,).

    Returns:
        (N, h + 1, w + 1, 4, F).
    """
    small = functional.conv2d(images, _phase_weight(weight), bias.repeat(4), padding=1)
    last = small.permute(0, 2, 3, 1).contiguous()
    return last.view(*last.shape[:3], 4, len(bias))


def _large(grid: Tensor) -> Tensor:
    """The rectified large image (N, F, 2h, 2w) of a grid, by PyTorch operations."""
    count, rows, columns, _, features = grid.shape
    height, width = rows - 1, columns - 1
    phases = [grid[:, a : a + height, b : b + width, 2 * a + b] for a in (0, 1) for b in (0, 1)]
    large = torch.stack(phases, 3).view(count, height, width, 2, 2, features).transpose(2, 3)
    return functional.relu(large.reshape(count, 2 * height, 2 * width, features)).permute(0, 3, 1, 2)


def pixel_shuffle(grid: Tensor) -> Tensor:
    """Rectify a ``subpixel_grid`` and order it as the large image.

    Args:
        grid: (N, h + 1, w + 1, 4, F).

    Returns:
        (N, F, 2h, 2w).
    """
    if not has_kernel(grid, grid.shape[-1]):
        return _large(grid)
    large: Tensor = _PixelShuffle.apply(grid)
    return large


def output_conv(grid: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Apply ``transposed`` to ``pixel_shuffle(grid)``, without writing the large image.

    Args:
        grid: (N, h + 1, w + 1, 4, F).
        weight: (F, C, 3, 3).
        bias: (C,).

    Returns:
        Logits (N, C, 2h, 2w).
    """
    if not has_kernel(grid, grid.shape[-1]) or (grid.shape[2] - 1) % 4:
        return transposed(_large(grid), weight, bias)
    turned = weight.flip(2, 3).permute(1, 2, 3, 0).reshape(len(bias), 9, len(weight)).contiguous()
    logits: Tensor = _OutputConv.apply(grid, turned, bias)
    return logits
