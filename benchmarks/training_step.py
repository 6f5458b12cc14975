"""One setup's training step, run in a process of its own: views of a batch, then a step on each view."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from morphobench.augment import BYOLPair, MultiCrop
from morphobench.data.store.reader import ImageStore
from morphobench.objectives import create
from morphobench.setups import Setup


class TrainingStep:
    """Every call of ``step`` trains on the next view; a new batch of images is drawn when its views are used.

    The same seed, images, batch size and threads for every setup. ``objective``: "package.module:Class" of a
    paradigm that is not installed.
    """

    def __init__(
        self,
        *,
        setup: str,
        store: str,
        batch_size: int,
        threads: int,
        seed: int = 0,
        objective: str | None = None,
    ) -> None:
        torch.set_num_threads(threads)
        chosen = Setup.parse(setup)
        opened = ImageStore.open(Path(store))
        self.images, self.ids = np.ascontiguousarray(opened.images), opened.image_ids
        self.labels = torch.from_numpy(opened.labels)
        self.batch_size = batch_size
        self.objective = create(objective or chosen.paradigm, channels=self.images.shape[1], seed=seed)
        self.multi_crop = MultiCrop(chosen.setting, seed=seed, threads=threads)
        self.pairs = BYOLPair(seed=seed, threads=threads)
        self.losses: list[float] = []
        self._views = self._batches()

    def step(self) -> float:
        """Train on the next view of a batch; its loss."""
        views, labels = next(self._views)
        self.losses.append(float(self.objective.train_step(views, labels)["loss"]))
        return self.losses[-1]

    def history(self) -> list[float]:
        """The loss of every step so far."""
        return self.losses

    def views_per_image(self) -> int:
        """The setting's number of views."""
        return self.multi_crop.views

    def _batches(self) -> Iterator[tuple[tuple[torch.Tensor, ...], torch.Tensor]]:
        epoch = 0
        while True:
            for start in range(0, len(self.images) - self.batch_size + 1, self.batch_size):
                rows = slice(start, start + self.batch_size)
                views = self.multi_crop(self.images[rows], self.ids[rows], epoch)
                for number, view in enumerate(views):
                    if self.objective.pair_views:
                        view = self.pairs(view, self.ids[rows], epoch, number)
                        yield (torch.from_numpy(view[0]), torch.from_numpy(view[1])), self.labels[rows]
                    else:
                        yield (torch.from_numpy(view),), self.labels[rows]
            epoch += 1
