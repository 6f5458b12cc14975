"""Fixed work that takes part in the rounds: a machine's speed while setups were timed on it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch

NAME = "yardstick"
"""Its name among the setups of the rounds."""
VERSION = 1
"""Of the work; times relative to one version are never compared with those of another."""
_SIZE, _PRODUCTS = 512, 24
_DEVICE_SIZE = 4096


class Yardstick:
    """Matrix products in float32, as many on each thread, like the parts of a training step.

    It is the same work in every version of morphobench: what a step takes relative to it can be compared
    between commits although the machine was not equally fast. Its rate of multiply-adds is what the machine
    could do at most, so it is also the limit that a step's rate is a share of.

    Args:
        threads: threads that share the work.
        device: what computes; on a device, one large product is a step.
    """

    def __init__(self, *, threads: int, device: str = "cpu") -> None:
        self._device = torch.device(device)
        size = _SIZE if self._device.type == "cpu" else _DEVICE_SIZE
        generator = torch.Generator().manual_seed(0)
        self._left, self._right = torch.rand(2, size, size, generator=generator).to(self._device)
        self._threads = threads if self._device.type == "cpu" else 1
        self._products = _PRODUCTS if self._device.type == "cpu" else 1
        self._pool = ThreadPoolExecutor(self._threads, "yardstick", lambda: torch.set_num_threads(1))

    def step(self) -> None:
        """Do the work once."""
        shares = [self._pool.submit(self.share) for _ in range(self._threads)]
        for share in shares:
            share.result()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def multiply_adds(self) -> int:
        """Count the multiply-adds of a step.

        Returns:
            Their number.
        """
        return self._threads * self._products * len(self._left) ** 3

    def share(self) -> None:
        """Do one thread's part of a step."""
        for _ in range(self._products):
            self._left @ self._right
