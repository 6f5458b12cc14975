"""Training: one loop that knows no paradigm, exact resume, and callbacks that watch or steer it."""

from __future__ import annotations

from morphobench.options import TrainingOptions
from morphobench.training.callbacks.base import Callback
from morphobench.training.callbacks.metrics_file import MetricsFile
from morphobench.training.callbacks.mlflow import MLflow
from morphobench.training.callbacks.progress import progress
from morphobench.training.callbacks.schedules import EmaSchedule, GradientClipping, LearningRateSchedule
from morphobench.training.callbacks.tensorboard import TensorBoard
from morphobench.training.callbacks.wandb import WeightsAndBiases
from morphobench.training.convergence import Plateau, convergence_epoch
from morphobench.training.data.images import ImageRows, LabelledImages
from morphobench.training.results import EpochRecord, TrainingResult
from morphobench.training.runtime.seeding import epoch_order
from morphobench.training.state import NonFiniteLossError, TrainingState
from morphobench.training.trainer import train

__all__ = [
    "Callback",
    "EmaSchedule",
    "EpochRecord",
    "GradientClipping",
    "ImageRows",
    "LabelledImages",
    "LearningRateSchedule",
    "MLflow",
    "MetricsFile",
    "NonFiniteLossError",
    "Plateau",
    "TensorBoard",
    "TrainingOptions",
    "TrainingResult",
    "TrainingState",
    "WeightsAndBiases",
    "convergence_epoch",
    "epoch_order",
    "progress",
    "train",
]
