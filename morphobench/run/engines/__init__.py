"""Where the jobs of a run are done: on this machine, on a Ray cluster, or by Slurm.

An engine takes jobs and yields their results in the order in which they end. What a job computes does not
depend on the engine, so all engines give the same weights.
"""

from __future__ import annotations

from pathlib import Path

from morphobench.options import DeviceOptions, EngineOptions
from morphobench.run.engines.base import Engine, Finished, Work
from morphobench.run.engines.local import LocalEngine
from morphobench.run.engines.ray import RayEngine
from morphobench.run.engines.slurm import SlurmEngine

__all__ = ["Engine", "Finished", "LocalEngine", "RayEngine", "SlurmEngine", "Work", "make_engine"]


def make_engine(options: EngineOptions, execution: DeviceOptions, *, folder: Path) -> Engine:
    """Make the engine that options name.

    Args:
        options: Which engine, and its settings.
        execution: Device and threads of each job.
        folder: Where the engine may keep files of its own.

    Returns:
        The engine.

    Raises:
        InputError: What it needs is not installed.
    """
    threads, gpus = execution.threads or 1, int(execution.device.startswith("cuda"))
    if options.engine == "ray":
        return RayEngine(address=options.ray_address, threads=threads, gpus=gpus)
    if options.engine == "slurm":
        return SlurmEngine(
            folder,
            threads=threads,
            gpus=gpus,
            partition=options.partition,
            time_min=options.time_limit_min,
            parallel=options.parallel_jobs,
        )
    return LocalEngine()
