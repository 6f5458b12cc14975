"""The views of a setting, for training and for validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from morphobench.augment import BYOLPair, MultiCrop, ViewSpec, view_spec
from morphobench.objectives import Objective
from morphobench.objectives.sampling import OneGroupPerBatch
from morphobench.options import TrainingOptions
from morphobench.training.data.images import LabelledImages
from morphobench.training.data.loader import TrainingLoader
from morphobench.training.runtime.precision import in_precision

WHOLE_IMAGE = "no_aug_one_crop"
"""The setting whose one view is the whole image, resized and nothing else."""


def make_loader(
    data: LabelledImages,
    objective: Objective,
    *,
    setting: str,
    options: TrainingOptions,
    shard: tuple[int, int] = (0, 1),
) -> TrainingLoader:
    """Make the loader of a setting.

    Args:
        data: the training images.
        objective: says whether it takes pairs of views, and how batches are sampled.
        setting: one of ``setups.SETTINGS``.
        options: of the training.
        shard: rank and number of processes.

    Returns:
        The loader.
    """
    device = torch.device(options.device)
    return TrainingLoader(
        data,
        multi_crop=_multi_crop(training_views(setting, options), options),
        pair_views=_pair_views(objective, options),
        batch_size=options.images_per_step,
        size_px=options.size_px,
        seed=options.seed,
        device=device,
        prefetch=device.type != "cpu" if options.prefetch is None else options.prefetch,
        shard=shard,
        sampler=objective.sampler or (OneGroupPerBatch("plate") if options.plate_batches else None),
    )


def training_views(setting: str | ViewSpec, options: TrainingOptions) -> ViewSpec:
    """Look up the views that training draws.

    Args:
        setting: a setting, or its spec.
        options: of the training.

    Returns:
        The setting's spec; with ``options.orientation`` every view is flipped and turned by quarters too.
    """
    spec = view_spec(setting)
    if not options.orientation:
        return spec
    turned = [replace(group, flip=0.5, flip_vertical=0.5, quarter_turns=True) for group in spec.groups]
    return replace(spec, groups=tuple(turned))


def _multi_crop(setting: str | ViewSpec, options: TrainingOptions) -> MultiCrop:
    return MultiCrop(setting, size_px=options.size_px, seed=options.seed, threads=options.threads)


def _pair_views(objective: Objective, options: TrainingOptions) -> BYOLPair | None:
    if not objective.pair_views:
        return None
    return BYOLPair(objective.protocol, size_px=options.size_px, seed=options.seed, threads=options.threads)


class Validation:
    """The loss on images that take no part in training, from the whole-image view, the same in every epoch.

    An objective that takes pairs gets those that (seed, epoch 0, image id, view 0) draw of the whole image.
    """

    def __init__(self, data: LabelledImages, objective: Objective, options: TrainingOptions) -> None:
        """Take images and objective.

        Args:
            data: the validation images.
            objective: whose loss it is.
            options: of the training.
        """
        self._data, self._objective, self._options = data, objective, options
        self._whole = _multi_crop(WHOLE_IMAGE, options)
        self._pairs = _pair_views(objective, options)

    def __call__(self, *, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Compute the mean of each of the objective's terms.

        Args:
            between: called after each batch.

        Returns:
            Means by name.
        """
        sums: dict[str, torch.Tensor] = {}
        device = torch.device(self._options.device)
        validation_loss = in_precision(self._objective.validation_loss, self._options.precision, device)
        for start in range(0, len(self._data), self._options.batch_size):
            rows = np.arange(start, min(start + self._options.batch_size, len(self._data)))
            ids = self._data.image_ids[rows]
            views = self._whole(self._data.gather(rows), ids, 0)[:1]
            if self._pairs is not None:
                views = self._pairs(views[0], ids, 0, 0)
            batch = self._data.batch(rows).map(lambda codes: codes.to(device))
            terms = validation_loss(tuple(torch.from_numpy(views).to(device)), batch)
            for name, value in terms.items():
                weighted = value.double() * len(rows)
                sums[name] = sums[name] + weighted if name in sums else weighted
            between()
        return {name: total.item() / len(self._data) for name, total in sums.items()}
