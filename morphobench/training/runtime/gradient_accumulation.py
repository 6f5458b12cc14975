"""One optimizer step of several batches: their gradients are averaged before the step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from morphobench.objectives import Batch, Objective

TrainStep: TypeAlias = Callable[[tuple[Tensor, ...], Batch], dict[str, Tensor]]
"""From views and batch to the step's terms, as an objective's ``train_step``."""


def make_train_step(objective: Objective, *, accumulate: int) -> TrainStep:
    """Make a step that takes its images in several equal batches.

    For losses that are means over images that step is the whole's, up to rounding; BatchNorm and losses that
    compare images (SimCLR, VICReg) see one batch at a time.

    Args:
        objective: what is trained.
        accumulate: the number of batches; 1 for the objective's own ``train_step``.

    Returns:
        The step.
    """
    if accumulate == 1:
        return objective.train_step

    def take_parts(views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        images, count = len(batch), min(accumulate, len(batch))
        bounds = [images * part // count for part in range(count + 1)]
        terms: dict[str, Tensor] = {}
        before = 0
        for start, stop in pairwise(bounds):
            size = stop - start
            # .grad holds the sum of images x gradient so far, divided by the last part's images
            _scale(objective.trained(), before / size if before else 1.0)
            part = slice(start, stop)
            found = objective.accumulate(tuple(view[part] for view in views), batch.part(part))
            for name, value in found.items():
                weighted = value * (size / images)
                terms[name] = terms[name] + weighted if name in terms else weighted
            before = size
        _scale(objective.trained(), before / images)
        objective.update()
        return terms

    return take_parts


def _scale(parameters: Sequence[Tensor], factor: float) -> None:
    gradients = [one.grad for one in parameters if one.grad is not None]
    if gradients and factor != 1.0:
        torch._foreach_mul_(gradients, factor)
