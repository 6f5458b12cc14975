"""The rewritten layers against the plain ones, in float64 and float32: values and every gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from morphobench import _core
from morphobench.models import Decoder, Encoder
from morphobench.models import fused_layers as layers

# the share of the largest value by which two orders of summation may differ
TOLERANCE = {torch.float64: 1e-13, torch.float32: 1e-5}
DTYPES = list(TOLERANCE)


def plain_encoder(encoder: Encoder, images: Tensor) -> Tensor:
    """The encoder as the study writes it: ReLU, then max-pool."""
    one, two, three, four = encoder.children()
    hidden = functional.max_pool2d(functional.relu(one(images)), 2)
    hidden = functional.max_pool2d(functional.relu(two(hidden)), 2)
    return four(functional.relu(three(hidden))).flatten(1)


def plain_decoder(decoder: Decoder, embeddings: Tensor) -> Tensor:
    """The decoder as the study writes it: upsampled, then convolved."""
    one, two, three, four = decoder.children()
    hidden = functional.relu(one(embeddings.unflatten(1, decoder.feature_shape)))
    hidden = functional.relu(two(nn.Upsample(scale_factor=2)(hidden)))
    return four(functional.relu(three(nn.Upsample(scale_factor=2)(hidden))))


def results(
    function: Callable[..., Tensor], inputs: list[Tensor], parameters: Sequence[Tensor]
) -> list[Tensor]:
    """The value and the gradients of a fixed random projection of it."""
    value = function(*inputs)
    weights = torch.rand(value.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wanted = [tensor for tensor in (*inputs, *parameters) if tensor.requires_grad]
    return [value.detach(), *torch.autograd.grad((value * (weights.to(value.dtype) - 0.5)).sum(), wanted)]


def assert_alike(ours: list[Tensor], theirs: list[Tensor]) -> None:
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape
        error = (mine - other).abs().max() / other.abs().max()
        assert error <= TOLERANCE[mine.dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("channels", "size"), [(1, 64), (3, 20), (2, 4)])
def test_the_encoder_is_the_plain_one(dtype: torch.dtype, channels: int, size: int) -> None:
    torch.manual_seed(0)
    encoder = Encoder(channels, size_px=size).to(dtype)
    images = torch.rand(3, channels, size, size, dtype=dtype)
    parameters = list(encoder.parameters())
    ours = results(encoder, [images], parameters)
    assert_alike(ours, results(lambda x: plain_encoder(encoder, x), [images], parameters))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("channels", "size"), [(1, 64), (3, 24), (2, 16), (1, 4)])
def test_the_decoder_is_the_plain_one(dtype: torch.dtype, channels: int, size: int) -> None:
    torch.manual_seed(0)
    decoder = Decoder(channels, size_px=size).to(dtype)
    embeddings = torch.randn(2, 8 * (size // 4) ** 2, dtype=dtype, requires_grad=True)
    parameters = list(decoder.parameters())
    ours = results(decoder, [embeddings], parameters)
    assert_alike(ours, results(lambda x: plain_decoder(decoder, x), [embeddings], parameters))


@pytest.mark.parametrize("dtype", DTYPES)
def test_kernels_and_operations_agree(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of other devices, forced on the CPU, against the kernels."""
    torch.manual_seed(0)
    encoder, decoder = Encoder(2, size_px=16).to(dtype), Decoder(2, size_px=16).to(dtype)
    images = torch.rand(3, 2, 16, 16, dtype=dtype)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    ours = results(lambda x: decoder(encoder(x)), [images], parameters)
    monkeypatch.setattr(layers, "has_kernel", lambda tensor, features: False)
    assert_alike(ours, results(lambda x: decoder(encoder(x)), [images], parameters))


def test_images_may_want_gradients_too() -> None:
    torch.manual_seed(0)
    encoder = Encoder(size_px=8).double()
    images = torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    ours = results(encoder, [images], list(encoder.parameters()))
    assert_alike(ours, results(lambda x: plain_encoder(encoder, x), [images], list(encoder.parameters())))


def test_gradients_hold_against_finite_differences() -> None:
    torch.manual_seed(0)
    grid = torch.randn(1, 2, 5, 4, 32, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(32, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layers.output_conv, (grid, weight, bias), fast_mode=True)
    assert torch.autograd.gradcheck(layers.pixel_shuffle, (grid,), fast_mode=True)
    images = torch.randn(1, 32, 4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layers.max_pool_relu, (images,), fast_mode=True)
    stem = (torch.rand(2, 1, 6, 4).double(), torch.randn(32, 1, 3, 3).double(), torch.randn(32).double())
    stem[1].requires_grad_()
    stem[2].requires_grad_()
    assert torch.autograd.gradcheck(layers.conv_pool_stem, stem, fast_mode=True)


def test_not_a_number_passes_through() -> None:
    encoder, decoder = Encoder(size_px=16), Decoder(size_px=16)
    images = torch.full((1, 1, 16, 16), torch.nan)
    assert encoder(images).isnan().any()
    assert decoder(torch.full((1, 128), torch.nan)).isnan().any()
    pooled = layers.max_pool_relu(torch.full((1, 32, 2, 2), torch.nan))
    assert pooled.isnan().all()


def test_the_kernels_check_their_arrays() -> None:
    images, bias = torch.rand(1, 1, 8, 8).numpy(), torch.rand(32).numpy()
    weight, out = torch.rand(1, 9, 32).numpy(), torch.rand(1, 4, 4, 32).numpy()
    choice = torch.zeros(1, 4, 4, 32, dtype=torch.uint8).numpy()
    _core.conv_pool_stem_forward(images, weight, bias, out, choice)
    with pytest.raises(TypeError, match="weight must have dtype float32, got float64"):
        _core.conv_pool_stem_forward(images, weight.astype("float64"), bias, out, choice)
    with pytest.raises(TypeError, match="images must have dtype float32 or float64, got uint8"):
        _core.conv_pool_stem_forward(images.astype("uint8"), weight, bias, out, choice)
    with pytest.raises(ValueError, match=r"out must have shape \(1, 4, 4, 32\), got"):
        _core.conv_pool_stem_forward(images, weight, bias, out[:, :2], choice)
    with pytest.raises(ValueError, match="images must have an even height and width"):
        _core.conv_pool_stem_forward(images[:, :, :7], weight, bias, out, choice)
    with pytest.raises(ValueError, match="images must have a positive multiple of 32 features, got 16"):
        _core.max_pool_relu_forward(out[..., :16], out, choice)
    with pytest.raises(ValueError, match="contiguous"):
        _core.max_pool_relu_forward(out[:, ::2], out, choice)
    with pytest.raises(ValueError, match=r"grid must have shape \(N, h \+ 1, w \+ 1, 4, F\)"):
        _core.pixel_shuffle_forward(torch.rand(1, 3, 3, 3, 32).numpy(), out)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out must be writeable"):
        _core.conv_pool_stem_forward(images, weight, bias, out, choice)
