"""Random numbers of training: the order of images by (seed, epoch), and torch's generators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from morphobench.types import Int64Array

_ORDER, _TORCH = 0x6F72646572, 0x746F726368  # streams of one seed that must not meet: "order", "torch"
_SAMPLER = 0x73616D706C65  # "sample"


def epoch_order(images: int, *, seed: int, epoch: int) -> Int64Array:
    """Shuffle the rows for an epoch.

    The order follows from seed and epoch only, so every setup of one seed sees the images in the same order.

    Args:
        images: N.
        seed: of the training.
        epoch: from 0.

    Returns:
        A permutation, int64 (N,).
    """
    bits = np.random.PCG64(np.random.SeedSequence([_ORDER, seed, epoch]))
    # sorted raw bits, not Generator.permutation: numpy promises only the former to stay as they are
    return np.argsort(bits.random_raw(images), kind="stable").astype(np.int64, copy=False)


def epoch_seed(seed: int, epoch: int) -> int:
    """Make the seed of further draws of an epoch, such as a sampler's.

    Args:
        seed: of the training.
        epoch: from 0.

    Returns:
        A number below 2**64.
    """
    return int(np.random.SeedSequence([_SAMPLER, seed, epoch]).generate_state(1, np.uint64)[0])


@contextmanager
def isolated_torch_generators(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators within the block; afterwards they are as before.

    The study's four objectives draw nothing while they train; others may (dropout).

    Args:
        seed: of the training.
        device: whose generator is seeded beside the CPU's.

    Yields:
        None: the block runs in between.
    """
    indices: list[int] = []
    if device.type == "cuda":
        indices = [torch.cuda.current_device() if device.index is None else device.index]
    with torch.random.fork_rng(devices=indices):
        state = np.random.SeedSequence([_TORCH, seed]).generate_state(2, np.uint32)
        torch.manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)
        yield


def generator_states(device: torch.device) -> dict[str, torch.Tensor]:
    """Read the states of the generators that training may draw from.

    Args:
        device: where training takes place.

    Returns:
        uint8 tensors by kind of device.
    """
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_generators(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Set torch's generators to what :func:`generator_states` returned.

    Args:
        states: by kind of device.
        device: where training takes place.
    """
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
