"""Options of training; they are defined beside the other options of a run."""

from __future__ import annotations

from morphobench.options import TrainingOptions

__all__ = ["TrainingOptions"]
