"""Code that is called at given points of a training: progress, metrics, schedules, TensorBoard."""

from __future__ import annotations

from morphobench.training.callbacks.base import Callback, CallbackList
from morphobench.training.callbacks.metrics_file import MetricsFile
from morphobench.training.callbacks.mlflow import MLflow
from morphobench.training.callbacks.progress import progress
from morphobench.training.callbacks.schedules import EmaSchedule, GradientClipping, LearningRateSchedule
from morphobench.training.callbacks.tensorboard import TensorBoard
from morphobench.training.callbacks.wandb import WeightsAndBiases

__all__ = [
    "Callback",
    "CallbackList",
    "EmaSchedule",
    "GradientClipping",
    "LearningRateSchedule",
    "MLflow",
    "MetricsFile",
    "TensorBoard",
    "WeightsAndBiases",
    "progress",
]
