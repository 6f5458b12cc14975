"""Batches of views: images gathered from the memory map, views written into reused buffers."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from morphobench.augment.prefetch import Prefetcher
from morphobench.errors import InputError
from morphobench.objectives import Batch, Sampler
from morphobench.training.data.images import LabelledImages
from morphobench.training.results import SHUFFLED
from morphobench.training.runtime.seeding import epoch_order, epoch_seed
from morphobench.types import Float32Array, Int64Array, UInt8Array


class MakesViews(Protocol):
    """``augment.MultiCrop``, as far as training uses it."""

    @property
    def views(self) -> int:
        """Views per image."""

    def __call__(
        self, images: UInt8Array, image_ids: Int64Array, epoch: int, out: Float32Array | None = None
    ) -> Float32Array:
        """Return views float32 (V, B, C, S, S) of images (B, C, H, W)."""


class MakesPairs(Protocol):
    """``augment.BYOLPair``, as far as training uses it."""

    def draw(self, image_ids: Int64Array, epoch: int, view: int) -> NDArray[Any]:
        """Draw what is done to each of the two further views.

        Args:
            image_ids: int64 (B,).
            epoch: from 0.
            view: position of the view.

        Returns:
            A structured array (2, B).
        """

    def apply(
        self, views: Float32Array, params: NDArray[Any], out: Float32Array | None = None
    ) -> Float32Array:
        """Make the further views.

        Args:
            views: float32 (B, C, S, S).
            params: what :meth:`draw` returned.
            out: where they are written, if given.

        Returns:
            float32 (2, B, C, S, S).
        """


@dataclass(frozen=True)
class Step:
    """What one optimizer step gets; the tensors are overwritten once the next step is asked for.

    Attributes:
        views: float32 (B, C, S, S), one or two.
        batch: labels and groups.
    """

    views: tuple[torch.Tensor, ...]
    batch: Batch


_Copied: TypeAlias = tuple[Step, torch.cuda.Event | None]


class StepLoader(Protocol):
    """Where ``train`` takes its steps from.

    Attributes:
        steps_per_epoch: optimizer steps of an epoch.
        batch_size: images of a batch, over all processes.
        images_per_step: images of a batch that this process trains on.
        views: views per image, each a step.
        view_shape: (C, S, S) of a view.
        buffer_bytes: bytes that it holds on the host.
        sampling: how batches are sampled, in a few words.
    """

    @property
    def steps_per_epoch(self) -> int: ...  # noqa: D102
    @property
    def batch_size(self) -> int: ...  # noqa: D102
    @property
    def images_per_step(self) -> int: ...  # noqa: D102
    @property
    def views(self) -> int: ...  # noqa: D102
    @property
    def view_shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def buffer_bytes(self) -> int: ...  # noqa: D102
    @property
    def sampling(self) -> str: ...  # noqa: D102

    def epoch(self, epoch: int, *, start: int = 0) -> Generator[Step]:
        """Yield the steps of an epoch, the same whatever came before.

        Args:
            epoch: from 0.
            start: the first step to yield.

        Yields:
            The steps.
        """


class TrainingLoader:
    """The steps of each epoch: several views per image, each an optimizer step of one batch.

    The last batch is dropped when it is incomplete and not the only one.
    """

    def __init__(
        self,
        data: LabelledImages,
        *,
        multi_crop: MakesViews,
        pair_views: MakesPairs | None,
        batch_size: int,
        size_px: int,
        seed: int,
        device: torch.device | None = None,
        prefetch: bool = False,
        shard: tuple[int, int] = (0, 1),
        sampler: Sampler | None = None,
    ) -> None:
        """Allocate the buffers.

        Args:
            data: the training images.
            multi_crop: makes the views of a setting.
            pair_views: makes two further views of each; None for objectives that take one view.
            batch_size: images of a batch, over all processes.
            size_px: height and width of a view.
            seed: of the order of images.
            device: where training takes place; default: the CPU.
            prefetch: whether a thread makes the next batch while one trains.
            shard: rank and number of processes. This process gets its contiguous part of every batch; draws
                are made for the whole batch, so that the parts together are the batch of one process.
            sampler: puts images into batches; None: in the shuffled order.

        Raises:
            InputError: for a batch that the processes cannot share evenly.
        """
        self._data, self._multi_crop, self._pair_views = data, multi_crop, pair_views
        self._seed, self._prefetch, self._sampler = seed, prefetch, sampler
        self._device = device or torch.device("cpu")
        self.batch_size = min(batch_size, len(data))
        self.batches = len(data) // self.batch_size
        self.views = multi_crop.views
        rank, processes = shard
        if self.batch_size % processes:
            raise InputError(f"batch_size must be a multiple of {processes} processes, got {self.batch_size}")
        part = self.batch_size // processes
        self._part = slice(rank * part, (rank + 1) * part)
        self._shape = (part, data.images.shape[1], size_px, size_px)
        # prefetching makes one whole batch while another trains; without it one buffer of each kind is enough
        self._base = [self._buffer(self.views) for _ in range(1 + prefetch)]
        pairs = 0 if pair_views is None else 2 * self.views if prefetch else 1
        self._pairs = [self._buffer(2) for _ in range(pairs)]
        self._copied: list[torch.cuda.Event | None] = [None] * len(self._base)
        self._stream: torch.cuda.Stream | None = None
        if self._device.type == "cuda":
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one epoch: batches x views."""
        return self.batches * self.views

    @property
    def images_per_step(self) -> int:
        """Images of a batch that this process trains on: the batch, or its part."""
        return self._shape[0]

    @property
    def view_shape(self) -> tuple[int, ...]:
        """(C, S, S) of a view."""
        return self._shape[1:]

    @property
    def buffer_bytes(self) -> int:
        """Bytes of all buffers on the host."""
        return sum(buffer.nbytes for buffer in (*self._base, *self._pairs))

    @property
    def sampling(self) -> str:
        """How batches are sampled."""
        return SHUFFLED if self._sampler is None else self._sampler.describe()

    def _buffer(self, views: int) -> torch.Tensor:
        return torch.empty((views, *self._shape), pin_memory=self._device.type == "cuda")

    def rows(self, epoch: int) -> Int64Array:
        """Choose the images of each batch.

        Args:
            epoch: from 0.

        Returns:
            Rows, int64 (batches, batch_size).
        """
        order = epoch_order(len(self._data), seed=self._seed, epoch=epoch)
        if self._sampler is None:
            return order[: self.batches * self.batch_size].reshape(self.batches, self.batch_size)
        return self._sampler.batches(
            order,
            self._data.groups,
            batches=self.batches,
            batch_size=self.batch_size,
            seed=epoch_seed(self._seed, epoch),
        )

    def epoch(self, epoch: int, *, start: int = 0) -> Generator[Step]:
        """Yield the steps of an epoch, the same whatever came before.

        Args:
            epoch: from 0.
            start: the first step to yield.

        Yields:
            The steps.
        """
        batches: Any = self._batches(epoch, start)
        if self._prefetch:
            batches = Prefetcher((list(batch) for batch in batches), name="morphobench-loader")
        try:
            for batch in batches:
                for step, copied in batch:
                    if copied is not None:
                        current = torch.cuda.current_stream(self._device)
                        current.wait_event(copied)
                        for tensor in (*step.views, step.batch.labels, *step.batch.groups.values()):
                            tensor.record_stream(current)
                    yield step
        finally:
            batches.close()

    def _batches(self, epoch: int, start: int) -> Generator[Iterable[_Copied]]:
        first, skipped = divmod(start, self.views)
        rows = self.rows(epoch)
        for batch in range(first, self.batches):
            yield self._steps(rows[batch], epoch, batch, skipped if batch == first else 0)

    def _steps(self, rows: Int64Array, epoch: int, batch: int, skipped: int) -> Iterator[_Copied]:
        slot = batch % len(self._base)
        event = self._copied[slot]
        if event is not None:
            event.synchronize()  # the device still reads the pinned buffer of the batch before the last
        ids, mine = self._data.image_ids[rows], rows[self._part]
        known = self._data.batch(mine)
        if self._device.type == "cuda":
            # from other memory the copy would make the host wait
            known = known.map(torch.Tensor.pin_memory)
        base = self._base[slot]
        self._multi_crop(self._data.gather(mine), self._data.image_ids[mine], epoch, out=base.numpy())
        for view in range(skipped, self.views):
            views: tuple[torch.Tensor, ...] = (base[view],)
            if self._pair_views is not None:
                pair = self._pairs[(slot * self.views + view) % len(self._pairs)]
                drawn = np.ascontiguousarray(self._pair_views.draw(ids, epoch, view)[:, self._part])
                self._pair_views.apply(base[view].numpy(), drawn, out=pair.numpy())
                views = (pair[0], pair[1])
            yield self._on_device(Step(views, known), slot)

    def _on_device(self, step: Step, slot: int) -> _Copied:
        if self._stream is None:
            return step, None
        with torch.cuda.stream(self._stream):
            views = tuple(view.to(self._device, non_blocking=True) for view in step.views)
            known = step.batch.map(lambda codes: codes.to(self._device, non_blocking=True))
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(self._stream)
        self._copied[slot] = event
        if not self._prefetch:
            event.synchronize()  # the one buffer is about to be filled again
        return Step(views, known), event
