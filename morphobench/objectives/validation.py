"""Checks of what a training step is given."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from morphobench.errors import InputError


def check_views(views: Sequence[Tensor], *, count: int, shape: tuple[int, int, int], name: str) -> None:
    """Check number, dtype and shape of the views of a batch.

    Args:
        views: what ``train_step`` was given.
        count: views that the objective takes.
        shape: (C, S, S) of a view.
        name: the objective's name, for the message.

    Raises:
        TypeError: for another dtype than float32.
        InputError: for another number of views or another shape.
    """
    if len(views) != count:
        raise InputError(f"views must be a tuple of {count} for {name}, got {len(views)}")
    for position, view in enumerate(views):
        if view.dtype != torch.float32:
            raise TypeError(f"views[{position}] must be float32, got {view.dtype}")
        if view.ndim != 4 or tuple(view.shape[1:]) != shape or len(view) != len(views[0]) or not len(view):
            raise InputError(
                f"views[{position}] must have shape (B, {', '.join(map(str, shape))}), "
                f"got {tuple(view.shape)}"
            )


def check_labels(labels: Tensor, *, images: int, binary: bool) -> None:
    """Check dtype, shape and, where it costs no wait for a device, values of a batch's labels.

    Args:
        labels: what ``train_step`` was given.
        images: images in the batch.
        binary: whether labels must be 0 and 1.

    Raises:
        TypeError: for another dtype than int64.
        InputError: for another shape or other values.
    """
    if labels.dtype != torch.int64:
        raise TypeError(f"labels must be int64, got {labels.dtype}")
    if tuple(labels.shape) != (images,):
        raise InputError(f"labels must have shape ({images},), got {tuple(labels.shape)}")
    if binary and labels.device.type == "cpu" and not ((labels == 0) | (labels == 1)).all():
        raise InputError(f"labels must be 0 (control) and 1 (drug), got {sorted(set(labels.tolist()))}")
