"""The mean of the gradients of several processes, before each optimizer's step.

It is what DistributedDataParallel computes, but for any objective and without wrapping its networks.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from morphobench.objectives import Objective
from morphobench.training.callbacks.base import GradientHook
from morphobench.training.runtime.process_group import ProcessGroup
from morphobench.training.state import TrainingState


class AverageGradients(GradientHook):
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

    def start(self, state: TrainingState) -> None:
        """Register the hooks.

        Args:
            state: of the training.
        """
        if state.device.type == "cuda":
            synchronize_batch_norm(state.objective)
        super().start(state)

    def _act(self, parameters: list[Tensor]) -> None:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self._group.processes
        means = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view(gradient.shape))


def synchronize_batch_norm(objective: Objective) -> None:
    """Let the BatchNorm layers of an objective take their statistics over all processes.

    Args:
        objective: changed in place.
    """
    for _, network in objective.networks:
        torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
