"""Everything random in training comes from (seed, epoch): image order here, views by image in ``augment``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from morphobench.types import Int64Array

_ORDER, _TORCH = 0x6F72646572, 0x746F726368  # streams of one seed that must not meet: "order", "torch"


def epoch_order(images: int, *, seed: int, epoch: int) -> Int64Array:
    """The order of ``images`` rows in an epoch: int64 (N,), a permutation from (seed, epoch) only.

    It knows neither paradigm nor setting, so every setup of one seed sees the same images in the same order.
    """
    bits = np.random.PCG64(np.random.SeedSequence([_ORDER, seed, epoch]))
    # sorted raw bits, not Generator.permutation: numpy promises only the former to stay as they are
    return np.argsort(bits.random_raw(images), kind="stable").astype(np.int64, copy=False)


@contextmanager
def isolated_torch_generators(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators for an objective that draws from them (dropout); the caller's come back.

    The study's four objectives draw nothing while they train; other people's may.
    """
    indices: list[int] = []
    if device.type == "cuda":
        indices = [torch.cuda.current_device() if device.index is None else device.index]
    with torch.random.fork_rng(devices=indices):
        state = np.random.SeedSequence([_TORCH, seed]).generate_state(2, np.uint32)
        torch.manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)
        yield


def generator_states(device: torch.device) -> dict[str, torch.Tensor]:
    """The states of torch's generators that training on ``device`` may draw from, as uint8 tensors."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_generators(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Set torch's generators to what :func:`generator_states` returned."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
