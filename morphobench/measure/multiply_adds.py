"""Counting the multiply-adds of work that torch does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def multiply_adds(work: Callable[[], object]) -> int:
    """Do work once and count the multiply-adds of its convolutions and matrix products.

    Our own kernels are bypassed for it, since torch cannot look into them: under CPU autocast the same
    algebra runs as torch operations, on one thread, because the counter sees the thread it is made in.

    Args:
        work: computes with torch in this thread.

    Returns:
        Multiply-adds, forward and backward, by torch's own formulas.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _Counter() as counter, torch.autocast("cpu", dtype=torch.bfloat16):
            work()
    finally:
        torch.set_num_threads(threads)
    return int(counter.operations) // 2


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up torch's formulas; FlopCounterMode itself fails under ``torch.autograd.grad``."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.operations += int(formula(*args, **(kwargs or {}), out_val=result))
        return result
