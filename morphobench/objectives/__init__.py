"""Ways of learning a representation: one file a paradigm, found by name."""

from __future__ import annotations

from morphobench.objectives import registry
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.protocol import Batch, Objective, Sampler
from morphobench.objectives.registry import create, names, register

__all__ = ["BaseObjective", "Batch", "Objective", "Sampler", "create", "names", "register", "registry"]
