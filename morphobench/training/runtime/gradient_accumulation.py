"""One optimizer step of several batches: their gradients are averaged before the step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import torch
from torch import Tensor

from morphobench.errors import InputError

TakeStep: TypeAlias = Callable[[Sequence[Tensor], Tensor], dict[str, Tensor]]
"""(views, labels) to the step's terms: an objective's ``train_step``."""


def step_of(objective: Any, *, accumulate: int) -> TakeStep:
    """The objective's ``train_step``, or one that takes its images in ``accumulate`` equal batches.

    For losses that are means over images that step is the whole's, up to rounding; BatchNorm and losses that
    compare images (SimCLR, VICReg) see one batch at a time. InputError for an objective without
    ``accumulate`` and ``update``.
    """
    if accumulate == 1:
        take: TakeStep = objective.train_step
        return take
    missing = [name for name in ("accumulate", "update", "trained") if not hasattr(objective, name)]
    if missing:
        raise InputError(
            f"accumulate: an objective with accumulate, update and trained wanted, {objective.name} has "
            f"no {', '.join(missing)}"
        )

    def take_parts(views: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        images, count = len(labels), min(accumulate, len(labels))
        bounds = [images * part // count for part in range(count + 1)]
        terms: dict[str, Tensor] = {}
        before = 0
        for start, stop in pairwise(bounds):
            size = stop - start
            # .grad holds the sum of images x gradient so far, divided by the last part's images
            _scale(objective.trained(), before / size if before else 1.0)
            found = objective.accumulate(tuple(view[start:stop] for view in views), labels[start:stop])
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
