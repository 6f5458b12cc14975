"""Work on a batch's parts side by side: a thread for each core, each part whole on one core.

A micro-batch that one core carries through forward and backward stays in that core's cache, and no layer
waits for another core; that beats splitting every layer over the cores. Parts are shared out in a fixed
order, so that sums over them have the same bits again for the same number of threads.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

MICRO_BATCH = 16
"""Images that pass through a network at a time on a CPU core, so that what they need stays in its cache."""

_Result = TypeVar("_Result")
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def _pool(threads: int) -> ThreadPoolExecutor:
    """This process's pool of ``threads`` threads, in each of which PyTorch itself uses one."""
    key = (os.getpid(), threads)  # after a fork the threads of the parent are gone
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(threads, "morphobench", lambda: torch.set_num_threads(1))
    return _pools[key]


@cache
def _keep_memory() -> None:
    """Let the C library keep freed memory for the next micro-batch.

    Otherwise it gives the memory back and faults it in again: about a tenth of a training step is then the
    kernel zeroing pages. The padding keeps the heaps of threads: glibc unmaps one that is free altogether,
    whatever the threshold for trimming. Does nothing where the C library has no ``mallopt``.
    """
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(mmap_threshold, 32 << 20)
        library.mallopt(trim_threshold, 256 << 20)
        library.mallopt(top_pad, 64 << 20)


def map_microbatches(work: Callable[[Sequence[slice]], _Result], slices: Sequence[slice]) -> list[_Result]:
    """Call a function on the micro-batches of a batch, on PyTorch's number of threads.

    Thread t of T gets every T-th micro-batch from the t-th on; micro-batches that differ in cost should
    alternate.

    Args:
        work: is given one thread's micro-batches.
        slices: the micro-batches.

    Returns:
        The results in the order of the threads.

    Raises:
        Exception: the first one that any thread raised, after all are done.
    """
    threads = min(torch.get_num_threads(), len(slices))
    _keep_memory()
    if threads <= 1:
        return [work(slices)]
    gradients, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def alone(share: Sequence[slice]) -> _Result:
        # both modes belong to a thread
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients and not inference):
            return work(share)

    before = torch.get_num_threads()
    futures = [_pool(threads).submit(alone, slices[first::threads]) for first in range(threads)]
    try:
        errors = [future.exception() for future in futures]
    finally:
        # a new thread's set_num_threads is also what PyTorch tells threads made later
        torch.set_num_threads(before)
    for error in errors:
        if error is not None:
            raise error
    return [future.result() for future in futures]


def concatenated(
    function: Callable[[Tensor], Tensor], images: Tensor, slices: Sequence[slice], *, threads: bool = True
) -> Tensor:
    """Apply a function to the micro-batches of a batch and put the results together again.

    Args:
        function: maps (n, ...) to (n, D).
        images: (N, ...).
        slices: the micro-batches, which cover the batch in order.
        threads: whether several threads may work at a time.

    Returns:
        (N, D).
    """
    kept: dict[int, Tensor] = {}

    def work(share: Sequence[slice]) -> None:
        for part in share:
            kept[part.start] = function(images[part])

    if threads:
        map_microbatches(work, slices)
    else:
        work(slices)
    return torch.cat([kept[part.start] for part in slices])


def add_gradients(parameters: Sequence[Tensor], shares: Sequence[Sequence[Tensor | None]]) -> None:
    """Add gradients to the parameters' ``.grad``, in order.

    Args:
        parameters: what the gradients are of.
        shares: each a gradient, or None, per parameter.
    """
    for share in shares:
        for parameter, gradient in zip(parameters, share, strict=True):
            if gradient is None:
                continue
            if parameter.grad is None:
                parameter.grad = in_layout_of(parameter, gradient)
            else:
                parameter.grad.add_(gradient)


def in_layout_of(parameter: Tensor, values: Tensor) -> Tensor:
    """Give values the strides of a parameter, as fused optimizers need them.

    Args:
        parameter: the layout to follow.
        values: of the same shape.

    Returns:
        ``values`` itself where it has those strides, else a copy.
    """
    if values.stride() == parameter.stride():
        return values
    return torch.empty_like(parameter, requires_grad=False).copy_(values)


def added(total: list[Tensor | None] | None, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Add gradients to a sum, in place where the sum has one already.

    Args:
        total: the sum so far; None before the first.
        gradients: one per parameter, or None.

    Returns:
        The sum.
    """
    if total is None:
        return list(gradients)
    for index, gradient in enumerate(gradients):
        before = total[index]
        if gradient is not None:
            total[index] = gradient if before is None else before.add_(gradient)
    return total
