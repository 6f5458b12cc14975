"""Several processes as one: each trains on its part of every batch, and their gradients are averaged.

Started by ``torchrun``. The averaging happens in a hook that each optimizer calls before its step: it is what
DistributedDataParallel computes, but for any objective with ``optimizers`` and without wrapping networks.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch.utils.hooks import RemovableHandle

from morphobench.training.callbacks.base import Callback
from morphobench.training.callbacks.schedules import optimizers_of
from morphobench.training.options import TrainingOptions

if TYPE_CHECKING:
    from morphobench.training.state import TrainingState

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for another one before it gives up; one that dies is noticed at once."""


@dataclass(frozen=True)
class Group:
    """This process among those that train together; alone, rank 0 of 1."""

    rank: int = 0
    processes: int = 1

    @property
    def shard(self) -> tuple[int, int]:
        """(rank, processes), as the feed wants it."""
        return self.rank, self.processes

    @property
    def writes(self) -> bool:
        """Whether this process writes files and shows progress: rank 0 only."""
        return self.rank == 0

    def place(self, options: TrainingOptions) -> TrainingOptions:
        """The options with this process's own accelerator, where only its kind is named."""
        if self.processes > 1 and options.device == "cuda":
            return replace(options, device=f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        return options

    def watching(self, callbacks: Sequence[Callback]) -> list[Callback]:
        """Of the callbacks those that act in this process: all in rank 0, elsewhere those that steer."""
        return [callback for callback in callbacks if self.writes or callback.describe()]

    def mean(self, terms: Mapping[str, float]) -> dict[str, float]:
        """The mean of each term over the processes, the same in all of them."""
        if self.processes == 1:
            return dict(terms)
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        values = torch.tensor(list(terms.values()), dtype=torch.float64, device=device)
        dist.all_reduce(values)
        return dict(zip(terms, (values / self.processes).tolist(), strict=True))

    def wait(self) -> None:
        """Until every process has come here."""
        if self.processes > 1:
            dist.barrier()


def join_group(device: str) -> Group:
    """The group that ``torchrun`` started or the caller has initialized; alone where there is none."""
    if not dist.is_available():
        return Group()
    if not dist.is_initialized():
        if not dist.is_torchelastic_launched() or os.environ.get("WORLD_SIZE") == "1":
            return Group()
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=TIMEOUT)
        atexit.register(_leave)
    return Group(dist.get_rank(), dist.get_world_size())


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


class AverageGradients(Callback):
    """Before each optimizer's step its gradients become their mean over the processes.

    Equal parts of a batch, each with the mean of its own loss, give the gradient of the whole batch's mean.
    BatchNorm is the exception: its statistics are those of the part, unless the network holds SyncBatchNorm,
    to which BatchNorm layers are converted on accelerators.
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self._handles: list[RemovableHandle] = []

    def start(self, state: TrainingState) -> None:
        """Hang the hooks; InputError where the objective has no optimizers."""
        optimizers = optimizers_of(state, "more than one process")
        if state.device.type == "cuda":
            synchronize_batch_norm(state.objective)
        self._handles = [one.register_step_pre_hook(self._average) for one in optimizers]

    def _average(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self._group.processes
        means = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def close(self, error: BaseException | None) -> None:  # noqa: ARG002
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


def synchronize_batch_norm(objective: Any) -> None:
    """Let BatchNorm layers within an objective's ``networks`` take their statistics over all processes."""
    for _, network in getattr(objective, "networks", []):
        torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
