"""Code that runs at given points of a training: progress, metrics, schedules, TensorBoard."""

from __future__ import annotations

from morphobench.training.callbacks.base import Callback, MetricsFile, progress
from morphobench.training.callbacks.mlflow import MLflow
from morphobench.training.callbacks.schedules import EmaSchedule, GradientClipping, LearningRateSchedule
from morphobench.training.callbacks.tensorboard import TensorBoard
from morphobench.training.callbacks.wandb import WeightsAndBiases

__all__ = [
    "Callback",
    "EmaSchedule",
    "GradientClipping",
    "LearningRateSchedule",
    "MLflow",
    "MetricsFile",
    "TensorBoard",
    "WeightsAndBiases",
    "progress",
]
