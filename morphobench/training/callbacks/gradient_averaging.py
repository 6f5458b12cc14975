"""The mean of the gradients of several processes, before each optimizer's step.

It is what DistributedDataParallel computes, but for any objective and without wrapping its networks.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch.utils.hooks import RemovableHandle

from morphobench.objectives import Objective
from morphobench.training.callbacks.base import Callback
from morphobench.training.runtime.process_group import ProcessGroup
from morphobench.training.state import TrainingState


class AverageGradients(Callback):
    """Before each optimizer's step its gradients become their mean over the processes.

    Equal parts of a batch, each with the mean of its own loss, give the gradient of the whole batch's mean.
    BatchNorm is the exception: its statistics are those of the part, unless the network holds SyncBatchNorm,
    to which BatchNorm layers are converted on accelerators.
    """

    def __init__(self, group: ProcessGroup) -> None:
        """Average over a group.

        Args:
            group: the processes.
        """
        self._group = group
        self._handles: list[RemovableHandle] = []

    def start(self, state: TrainingState) -> None:
        """Register the hooks.

        Args:
            state: of the training.
        """
        if state.device.type == "cuda":
            synchronize_batch_norm(state.objective)
        self._handles = [
            optimizer.register_step_pre_hook(self._average)
            for optimizer in state.objective.optimizers.values()
        ]

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
        """Remove the hooks.

        Args:
            error: not used.
        """
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


def synchronize_batch_norm(objective: Objective) -> None:
    """Let the BatchNorm layers of an objective take their statistics over all processes.

    Args:
        objective: changed in place.
    """
    for _, network in objective.networks:
        torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
