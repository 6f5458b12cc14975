"""How much memory a training will need, estimated before it starts, and a refusal when there is less."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from morphobench.errors import InputError
from morphobench.training.feed import Feed

if TYPE_CHECKING:
    from morphobench.objectives.base import Objective
    from morphobench.training.state import TrainingState

_PROBE_IMAGES = 2
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class MemoryEstimate:
    """What training will hold at once, in bytes; rather too much than too little.

    Attributes:
        state_bytes: parameters and, where they are trained, gradients and Adam's two moments.
        activations_bytes: every intermediate result of the images that pass through the networks together.
        views_bytes: the feed's buffers.
    """

    state_bytes: int
    activations_bytes: int
    views_bytes: int

    @property
    def total_bytes(self) -> int:
        """The sum."""
        return self.state_bytes + self.activations_bytes + self.views_bytes


def estimate_memory(
    objective: Objective, feed: Feed, *, device: torch.device, accumulate: int = 1
) -> MemoryEstimate:
    """Estimate from one pass of two images, in evaluation mode, that counts what each operation returns."""
    state = sum(
        parameter.nbytes * (4 if parameter.requires_grad else 1)
        for _, parameter in objective.named_parameters()
    )
    shape = (_PROBE_IMAGES, *feed.view_shape)
    views = tuple(torch.full(shape, 0.5, device=device) for _ in range(1 + objective.pair_views))
    labels = torch.arange(_PROBE_IMAGES, device=device) % 2
    with _CountBytes() as counted:
        objective.validation_loss(views, labels)
    together = images_together(objective, -(-feed.images_per_step // accumulate))
    return MemoryEstimate(
        state_bytes=state,
        activations_bytes=counted.bytes * together // _PROBE_IMAGES,
        views_bytes=feed.buffer_bytes,
    )


def images_together(objective: Any, batch_size: int) -> int:
    """How many images of a batch an objective holds intermediate results of.

    The whole batch where statistics are taken over it (BatchNorm) or the objective does not say; else its
    ``parts``, one for each of torch's threads.
    """
    networks = [network for _, network in getattr(objective, "networks", [])]
    normalized = any(
        isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
        for network in networks
        for module in network.modules()
    )
    if normalized or not networks or not hasattr(objective, "parts"):
        return batch_size
    largest = max(part.stop - part.start for part in objective.parts(batch_size))
    return min(batch_size, int(largest) * torch.get_num_threads())


def available_bytes(device: torch.device) -> int:
    """Free memory of the accelerator, or of the host within its container's limit."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return free if limit == "max" else min(free, int(limit) - int(used))
    except (OSError, ValueError):
        return free


def require_memory(state: TrainingState, feed: Feed) -> None:
    """Estimate what the run needs; InputError with advice when it exceeds what is free."""
    device = state.device
    estimate = state.memory = estimate_memory(
        state.objective, feed, device=device, accumulate=state.options.accumulate
    )
    if not state.options.check_memory:
        return
    free = available_bytes(device)
    if estimate.total_bytes > free:
        raise InputError(
            f"memory: about {estimate.total_bytes / 1e9:.2g} GB wanted on {device} for {state.setup}, "
            f"batches of {feed.batch_size} (state {estimate.state_bytes / 1e9:.2g}, intermediate results "
            f"{estimate.activations_bytes / 1e9:.2g}, views {estimate.views_bytes / 1e9:.2g}), got "
            f"{free / 1e9:.2g} GB free. A smaller batch_size, a smaller micro_batch where the objective has "
            "one, or smaller views need less; check_memory=False tries all the same"
        )


class _CountBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of all tensors that operations return, views of others and in-place results apart."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {arg.untyped_storage().data_ptr() for arg in args if isinstance(arg, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in given:
                self.bytes += tensor.nbytes
        return result
