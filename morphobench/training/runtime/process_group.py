"""Several processes, started by ``torchrun``, that train together."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import torch
import torch.distributed as dist

from morphobench.options import TrainingOptions

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for another one before it gives up; one that dies is noticed at once."""


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that train together; alone, rank 0 of 1.

    Attributes:
        rank: this process's number, from 0.
        processes: how many there are.
    """

    rank: int = 0
    processes: int = 1

    @property
    def shard(self) -> tuple[int, int]:
        """(rank, processes), as the loader takes it."""
        return self.rank, self.processes

    @property
    def writes(self) -> bool:
        """Whether this process writes files and shows progress: rank 0 only."""
        return self.rank == 0

    def place(self, options: TrainingOptions) -> TrainingOptions:
        """Choose this process's own accelerator, where the options name only its kind.

        Args:
            options: as all processes were given them.

        Returns:
            The options of this process.
        """
        if self.processes > 1 and options.device == "cuda":
            return replace(options, device=f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        return options

    def mean(self, terms: Mapping[str, float]) -> dict[str, float]:
        """Average over the processes.

        Args:
            terms: numbers by name, the same names in all processes.

        Returns:
            The means, the same in all processes.
        """
        if self.processes == 1:
            return dict(terms)
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        values = torch.tensor(list(terms.values()), dtype=torch.float64, device=device)
        dist.all_reduce(values)
        return dict(zip(terms, (values / self.processes).tolist(), strict=True))

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.processes > 1:
            dist.barrier()


def join_group(device: str) -> ProcessGroup:
    """Join the group that ``torchrun`` started or the caller has initialized.

    Args:
        device: where training takes place; decides how processes communicate.

    Returns:
        This process in the group; alone where there is none.
    """
    if not dist.is_available():
        return ProcessGroup()
    if not dist.is_initialized():
        if not dist.is_torchelastic_launched() or os.environ.get("WORLD_SIZE") == "1":
            return ProcessGroup()
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=TIMEOUT)
        atexit.register(_leave)
    return ProcessGroup(dist.get_rank(), dist.get_world_size())


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
