"""What the measurements share: the device, how much is measured, its times, the machine's limits."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from morphobench.training.runtime.precision import matrix_products

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    images: int
    batch: int
    step_rounds: int
    steps: int
    epoch_rounds: int
    workers: int
    precisions: tuple[Any, ...]
    matrix: int


LARGE = Sizes(8192, 256, 9, 10, 3, 16, ("float32", "tf32", "bf16"), 8192)
SMALL = Sizes(32, 16, 2, 1, 1, 2, ("float32",), 256)


def synchronize() -> None:
    """Wait for the device; nothing on a CPU."""
    if CUDA:
        torch.cuda.synchronize()


def machine() -> dict[str, Any]:
    """What is measured on."""
    return {
        "device": torch.cuda.get_device_name() if CUDA else "cpu",
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "commit": os.environ.get("MORPHOBENCH_COMMIT"),
    }


def limits(sizes: Sizes) -> dict[str, float]:
    """Matrix products in tera-operations a second by precision, and a copy in GB/s, read plus written."""
    found = {}
    n = sizes.matrix
    for precision in sizes.precisions:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        left, right = (torch.randn(n, n, device=DEVICE, dtype=dtype) for _ in range(2))
        with matrix_products(precision, torch.device(DEVICE)):
            seconds = timed(partial(torch.matmul, left, right), rounds=7)
        found[f"{precision}_tflop_per_s"] = 2 * n**3 / seconds / 1e12
    source = torch.empty(n * n * 4, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    found["copy_gb_per_s"] = 2 * len(source) / timed(lambda: target.copy_(source), rounds=7) / 1e9
    return found


def timed(function: Callable[[], object], *, rounds: int) -> float:
    """Median seconds of a call with the device done, after two that are not counted."""
    seconds = []
    for _ in range(2 + rounds):
        synchronize()
        start = time.perf_counter()
        function()
        synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])
