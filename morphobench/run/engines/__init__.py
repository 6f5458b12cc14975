"""Where the jobs of a run are done: on this machine, on a Ray cluster, or by Slurm.

An engine takes jobs and yields their results in the order in which they end. What a job computes does not
depend on the engine, so all engines give the same weights.
"""

from __future__ import annotations

from morphobench.run.engines.base import Engine, Finished, Work
from morphobench.run.engines.local import LocalEngine
from morphobench.run.engines.ray import RayEngine
from morphobench.run.engines.slurm import SlurmEngine

__all__ = ["Engine", "Finished", "LocalEngine", "RayEngine", "SlurmEngine", "Work"]
