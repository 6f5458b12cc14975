"""Trackers by name, for ``run --track``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from morphobench._util.extras import load_extra
from morphobench.training.callbacks.base import Callback
from morphobench.training.callbacks.mlflow import MLflow
from morphobench.training.callbacks.tensorboard import TensorBoard
from morphobench.training.callbacks.wandb import Mode, WeightsAndBiases

TRACKERS = {
    "tensorboard": ("torch.utils.tensorboard", "tensorboard"),
    "mlflow": ("mlflow", "tracking"),
    "wandb": ("wandb", "tracking"),
}
"""By name: the module that a tracker needs, and the extra that installs it."""


def require_tracker(name: str) -> None:
    """Check, before anything is trained, that a tracker can be used.

    Args:
        name: of `TRACKERS`, or "none".

    Raises:
        InputError: its package is not installed.
    """
    if name in TRACKERS:
        module, extra = TRACKERS[name]
        load_extra(module, extra=extra)


def trackers(name: str, folder: Path | None) -> list[Callback]:
    """Make the callbacks of a tracker.

    TensorBoard's and Weights & Biases' files go into the training's folder, MLflow's database beside that of
    all trainings. ``MLFLOW_TRACKING_URI`` names another place; ``WANDB_MODE=online`` sends at once.

    Args:
        name: of `TRACKERS`, or "none".
        folder: of the training; without one nothing is tracked.

    Returns:
        One callback, or none.
    """
    if folder is None or name not in TRACKERS:
        return []
    if name == "tensorboard":
        return [TensorBoard(folder)]
    if name == "mlflow":
        given = os.environ.get("MLFLOW_TRACKING_URI")
        return [MLflow(tracking_uri=given or f"sqlite:///{folder.resolve().parent / 'mlflow.db'}")]
    mode = cast(Mode, os.environ.get("WANDB_MODE", "offline"))
    return [WeightsAndBiases(folder=folder, mode=mode)]
