"""Precision, layouts and waiting: what a GPU would do, as far as a CPU can show it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from morphobench.errors import InputError
from morphobench.models import Decoder
from morphobench.objectives import create
from morphobench.setups import PARADIGMS
from morphobench.training import TrainingOptions, train
from morphobench.training.runtime.precision import in_precision, matrix_products, require_precision
from morphobench.types import Precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
ALL = (*PARADIGMS, "dino", "simclr", "vicreg", "masked_autoencoder")


def views_of(objective: Any, images: int = 8) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    views = torch.rand(1 + objective.pair_views, images, objective.channels, 32, 32, generator=generator)
    return tuple(views), torch.arange(images) % 2


def test_only_float32_on_a_cpu(data: dict[str, Any], toy: Any) -> None:
    for precision in ("tf32", "bf16"):
        options = TrainingOptions(size_px=8, precision=precision)
        with pytest.raises(InputError, match=f"must be float32 on cpu, got {precision}, which is for CUDA"):
            train(toy(), **data, setting="no_aug_one_crop", options=options)
    with pytest.raises(InputError, match="one of float32, tf32, bf16, got 'fp8'"):
        require_precision("fp8", CPU)  # type: ignore[arg-type]
    require_precision("tf32", CUDA)
    require_precision("float32", CPU)


def test_switches_of_the_accelerator_are_set_and_put_back() -> None:
    def switches() -> tuple[str, str]:
        cudnn: Any = torch.backends.cudnn
        return torch.backends.cuda.matmul.fp32_precision, cudnn.conv.fp32_precision

    before = switches()
    cases: list[tuple[Precision, str]] = [("float32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")]
    for precision, expected in cases:
        with matrix_products(precision, CUDA):
            assert switches() == (expected, expected)
        assert switches() == before
    with matrix_products("float32", CPU):
        assert switches() == before


@pytest.mark.parametrize("name", ALL)
def test_a_step_under_autocast_stays_near_float32(name: str) -> None:
    """The path of bf16, on the CPU: PyTorch's operations instead of our kernels, float32 master weights."""
    plain, cast = (create(name, size_px=32, learning_rate=1e-3) for _ in range(2))
    views, labels = views_of(plain)
    for _ in range(2):
        expected = plain.train_step(views, labels)["loss"]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = cast.train_step(views, labels)["loss"]
        assert found.isfinite()
        assert abs(float(found) - float(expected)) <= 0.03 * abs(float(expected)) + 0.01
    assert float(found) != float(expected)  # it did compute in another precision
    for key, value in cast.state_dict().items():
        assert not value.is_floating_point() or value.dtype in (torch.float32, torch.float64), key


def test_autocast_is_asked_for_by_bf16_only() -> None:
    def state(*, of: str) -> tuple[bool, torch.dtype]:
        return torch.is_autocast_enabled(of), torch.get_autocast_dtype(of)

    for precision in ("float32", "tf32"):
        assert in_precision(state, precision, CPU) is state
    assert in_precision(state, "bf16", CPU)(of="cpu") == (True, torch.bfloat16)
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("name", ALL)
def test_features_innermost_take_the_same_steps(name: str) -> None:
    """What ``to("cuda")`` does to the weights, on the CPU: gradients and moments follow their layout."""
    plain, innermost = (create(name, channels=3, size_px=32, learning_rate=1e-3) for _ in range(2))
    for _, network in innermost.networks:
        network.to(memory_format=torch.channels_last)
    views, labels = views_of(plain)
    for _ in range(2):
        expected, found = (one.train_step(views, labels)["loss"] for one in (plain, innermost))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    moments = [
        (parameter, value)
        for optimizer in innermost.optimizers.values()
        for parameter, values in optimizer.state.items()
        for value in values.values()
        if value.shape == parameter.shape
    ]
    assert len(moments) > 8
    assert any(not parameter.is_contiguous() for parameter, _ in moments)
    assert all(value.stride() == parameter.stride() for parameter, value in moments)
    again = create(name, channels=3, size_px=32, learning_rate=1e-3)
    for _, network in again.networks:
        network.to(memory_format=torch.channels_last)
    again.load_state_dict(innermost.state_dict())  # plain tensors in between, as in a checkpoint
    expected, found = (one.train_step(views, labels)["loss"] for one in (innermost, again))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert all(
        value.stride() == parameter.stride()
        for optimizer in again.optimizers.values()
        for parameter, values in optimizer.state.items()
        for value in values.values()
        if value.shape == parameter.shape
    )


def test_constants_of_the_algebra_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tensor made from a list makes the host wait for an accelerator: not in every step."""
    decoder, embeddings = Decoder(), torch.rand(2, 2048)
    with torch.inference_mode():
        decoder(embeddings)
    made: list[Any] = []
    plain = torch.tensor

    def counted(*values: Any, **more: Any) -> torch.Tensor:
        made.append(values)
        return plain(*values, **more)

    monkeypatch.setattr(torch, "tensor", counted)
    decoder(embeddings).sum().backward()  # trains although inference made the constants
    assert made == []
