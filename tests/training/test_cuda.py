"""On a CUDA device, where there is one: no waiting within an epoch, the CPU's losses, memory on record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from morphobench.measure import peak_device_memory
from morphobench.objectives import create
from morphobench.setups import PARADIGMS
from morphobench.training import Callback, EpochRecord, TrainingOptions, TrainingState, train

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype"),
]


@pytest.fixture
def images() -> dict[str, Any]:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (64, 1, 64, 64)).astype(np.uint8)
    return {"images": pixels, "labels": np.arange(64) % 2, "image_ids": np.arange(64)}


class NoWaiting(Callback):
    """Operations that make the host wait raise, from the second step of an epoch to its last."""

    def before_step(self, state: TrainingState) -> None:
        if state.position == 1:
            torch.cuda.set_sync_debug_mode("error")

    def step(self, state: TrainingState) -> None:
        if state.position == state.steps_per_epoch:
            torch.cuda.set_sync_debug_mode("default")

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        assert np.isfinite(record.training["loss"])

    def close(self, error: BaseException | None) -> None:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture(autouse=True)
def _debug_mode_off() -> Iterator[None]:
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
@pytest.mark.parametrize("name", [*PARADIGMS, "dino", "simclr", "vicreg", "masked_autoencoder"])
def test_an_epoch_never_waits(name: str, precision: Any, images: dict[str, Any]) -> None:
    options = TrainingOptions(epochs=2, batch_size=16, device="cuda", precision=precision)
    result = train(create(name), **images, setting="aug_multi_crop", options=options, callbacks=[NoWaiting()])
    assert result.epochs_done == 2
    assert result.time_per_view_ns > 0
    memory = peak_device_memory("cuda")
    assert memory is not None
    assert 0 < memory.allocated_bytes <= memory.reserved_bytes


@pytest.mark.parametrize("name", PARADIGMS)
def test_losses_are_the_cpus(name: str, images: dict[str, Any]) -> None:
    losses = {}
    for device in ("cpu", "cuda"):
        options = TrainingOptions(epochs=2, batch_size=16, device=device)
        result = train(create(name), **images, setting="aug_multi_crop", options=options)
        losses[device] = [record.training["loss"] for record in result.history]
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=2e-3)
