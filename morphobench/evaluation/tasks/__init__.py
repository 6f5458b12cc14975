"""The evaluation tasks, one file each."""

from __future__ import annotations

from morphobench.evaluation.tasks import (
    classification,
    clustering,
    image_profiling,
    integration,
    restrictions,
    shortcuts,
    similarity,
)

__all__ = [
    "classification",
    "clustering",
    "image_profiling",
    "integration",
    "restrictions",
    "shortcuts",
    "similarity",
]
