"""Recipes of training: named choices of optimizer, schedule, batch, encoder and views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """Defaults of the options of training under one name (``--recipe``); a given option goes before them.

    Attributes:
        name: its name.
        description: what it is for, in a few words.
        options: values by the names of the options.
    """

    name: str
    description: str
    options: Mapping[str, Any] = field(default_factory=dict)


_BATCH_NORM = {
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "schedule": "one_cycle",
    "batch_size": 64,
    "encoders": ("batch_norm_cnn",),
    "orientation": True,
    "batch_norm": "train",
}

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("study", "the study's: Adam, learning rate 1e-4, batches of 256, its encoder"),
        Recipe(
            "fast",
            "an encoder with BatchNorm under AdamW and one cycle of the learning rate, few epochs",
            {**_BATCH_NORM, "learning_rate": 3e-3, "epochs": 8},
        ),
        Recipe(
            "long",
            "as fast, four times as long",
            {**_BATCH_NORM, "learning_rate": 3e-3, "epochs": 32},
        ),
        Recipe(
            "plate",
            "as fast, with batches of one plate, and BatchNorm statistics of each plate when it is embedded",
            {**_BATCH_NORM, "learning_rate": 3e-3, "epochs": 8, "batch_norm": "plate", "plate_batches": True},
        ),
    )
}
"""By name; ``study`` is the default."""
