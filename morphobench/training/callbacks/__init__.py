"""Code that runs at given points of a training: progress, metrics, schedules, TensorBoard."""

from __future__ import annotations

from morphobench.training.callbacks.base import Callback, MetricsFile, progress
from morphobench.training.callbacks.schedules import EmaSchedule, GradientClipping, LearningRateSchedule
from morphobench.training.callbacks.tensorboard import TensorBoard

__all__ = [
    "Callback",
    "EmaSchedule",
    "GradientClipping",
    "LearningRateSchedule",
    "MetricsFile",
    "TensorBoard",
    "progress",
]
