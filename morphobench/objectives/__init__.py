"""Ways of learning a representation: one file a paradigm, found by name."""

from __future__ import annotations

from morphobench.objectives import registry
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.protocol import Objective
from morphobench.objectives.registry import create, names, register

__all__ = ["BaseObjective", "Objective", "create", "names", "register", "registry"]
