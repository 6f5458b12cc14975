"""What a run will take: hours, memory and disk, predicted from a few batches of every setup here."""

from __future__ import annotations

import heapq
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from morphobench import types
from morphobench.data import ImageStore, subset
from morphobench.embeddings import embed
from morphobench.errors import InputError
from morphobench.evaluation import EvaluationInput, evaluate
from morphobench.measure import run_isolated
from morphobench.run.data import open_data, seed_data
from morphobench.run.job import Job, training_job
from morphobench.run.options import RunOptions
from morphobench.run.worker import make_objective, train_measured, use_threads
from morphobench.training import Callback, EpochRecord, ImageRows, TrainingResult, TrainingState
from morphobench.types import Float32Array, Int64Array

if TYPE_CHECKING:
    import torch

_MIN_BATCHES = 4
_MIN_STEPS = 24
_WARM_UP_STEPS = 4  # slower, since memory is touched for the first time; not counted
_VALIDATED = 256
_EMBEDDED = 512
_EVALUATED = 2000


@dataclass(frozen=True)
class SetupProjection:
    """What one setup is expected to take, for one seed.

    Attributes:
        setup: Its name.
        epoch_s: Seconds of an epoch, validation and checkpoint included.
        training_s: Seconds of all epochs, and of starting the process.
        embedding_s: Seconds of embedding all images.
        host_memory_bytes: Peak memory of the process that trains.
        device_memory_bytes: Peak memory of the device; None on a processor.
    """

    setup: str
    epoch_s: float
    training_s: float
    embedding_s: float
    host_memory_bytes: int
    device_memory_bytes: int | None


@dataclass(frozen=True)
class Projection:
    """What a run is expected to take.

    Attributes:
        setups: Each setup, for one seed.
        seeds: Repetitions.
        evaluated: Setups and baselines that are evaluated, for one seed.
        evaluation_s: Seconds of evaluating one of them.
        timing_s: Seconds in which steps are timed before training.
        disk_bytes: Size of embeddings and weights of all seeds.
    """

    setups: tuple[SetupProjection, ...]
    seeds: int
    evaluated: int
    evaluation_s: float
    timing_s: float
    disk_bytes: int

    @property
    def training_s(self) -> float:
        """Seconds of training and embedding all setups and seeds, one after another."""
        return self.seeds * sum(one.training_s + one.embedding_s for one in self.setups)

    def elapsed_s(self, parallel: int) -> float:
        """Predict how long training and embedding take on several machines like this one.

        The longest training comes first, and each machine takes the next one when it is free.

        Args:
            parallel: Trainings at a time, each with a machine or GPU to itself.

        Returns:
            Seconds until the last one has ended.
        """
        busy_s = [0.0] * parallel
        each_s = sorted((one.training_s + one.embedding_s for one in self.setups), reverse=True)
        for job_s in (one for one in each_s for _ in range(self.seeds)):
            heapq.heapreplace(busy_s, busy_s[0] + job_s)
        return max(busy_s)

    @property
    def total_s(self) -> float:
        """Seconds of the whole run."""
        return self.training_s + self.seeds * self.evaluated * self.evaluation_s + self.timing_s

    @property
    def host_memory_bytes(self) -> int:
        """Peak memory of the setup that needs most; setups are trained one after another."""
        return max(one.host_memory_bytes for one in self.setups)


def project(
    store_path: types.Path,
    options: RunOptions,
    *,
    as_if_images: int | None = None,
    on_setup: Callable[[str], None] | None = None,
) -> Projection:
    """Predict what a run will take, from a few batches of every setup.

    Each setup trains on a few batches in a process of its own, is validated and embeds some images; the
    time per batch and image is multiplied by their numbers. Evaluation is timed on `_EVALUATED` images and
    half as many, and grows with the images as it did between these.

    Args:
        store_path: The store.
        options: Options of the run.
        as_if_images: Predict for so many images in all, split as those of the store are; None: for those.
        on_setup: Called with the name of each setup before it is tried.

    Returns:
        The prediction.

    Raises:
        InputError: Bad input.
        IsolatedError: A setup cannot be trained.
    """
    store, rows, _ = open_data(store_path, options)
    data = seed_data(store, rows, 0, options.data)
    times = 1.0 if as_if_images is None else as_if_images / len(data.rows)
    images = round(times * len(data.rows))
    sample = subset(data.metadata, images=min(_EVALUATED, len(data.rows)), seed=0)
    run_isolated(f"{__name__}:nothing", {})
    setups, weights_bytes = [], 0
    features: Float32Array | None = None
    for setup in options.setups:
        if on_setup is not None:
            on_setup(str(setup))
        job = training_job(setup, options, store, data, seed=0, checkpoint_dir=Path())
        work = {"job": job, "rows": data.rows[sample] if features is None else data.rows[:_EMBEDDED]}
        result = run_isolated(f"{__name__}:calibrate", work)
        found = result.value
        setups.append(
            projected(job, found, images=images, overhead_s=result.wall_s - found["spent_s"], times=times)
        )
        weights_bytes += found["weights_bytes"]
        features = found["embeddings"] if features is None else features
    if features is None:
        raise InputError("--setups must name at least one setup, got none")
    evaluated = len(options.setups) + len(options.baselines)
    embeddings_bytes = evaluated * images * features.shape[1] * features.itemsize
    return Projection(
        setups=tuple(setups),
        seeds=options.seeds,
        evaluated=evaluated,
        evaluation_s=_evaluation_s(features, data.metadata.iloc[sample], options, images=images),
        timing_s=options.execution.timing_s,
        disk_bytes=options.seeds * (embeddings_bytes + weights_bytes),
    )


def nothing() -> None:
    """Do nothing in a process of its own: the first one waits for libraries, which the others then share."""


def calibrate(*, job: Job, rows: Int64Array) -> dict[str, Any]:
    """Train a setup on a few batches and embed some images, in a process of its own.

    Args:
        job: The setup, with all rows that the run would train on.
        rows: Rows to embed, int64 (N,).

    Returns:
        Seconds per batch, validated image, embedded image and checkpoint, and in all (``spent_s``); peaks of
        memory; bytes of the encoder's weights; embeddings (N, D) float32; numbers of images that were trained
        on and validated.
    """
    use_threads(job.training)
    store = ImageStore.open(job.store)
    objective = make_objective(job, store)
    started = time.perf_counter()
    times = _StepTimes()
    with tempfile.TemporaryDirectory() as folder:
        few = _few(job, views=_views(job), checkpoint_dir=Path(folder))
        result, memory = train_measured(objective, few, store, callbacks=[times])
    trained = time.perf_counter()
    embeddings = embed(objective.encoder, ImageRows(store.images, rows), device=job.training.device)
    ended = time.perf_counter()
    validated = len(few.validation_rows)
    return {
        "batch_s": times.batch_s(),
        "checkpoint_s": times.checkpoint_s,
        "validation_s": result.history[0].validation_seconds / validated if validated else 0.0,
        "embedding_s": (ended - trained) / len(rows),
        "spent_s": ended - started,
        "memory": memory,
        "weights_bytes": _bytes_of(objective.encoder),
        "embeddings": embeddings,
        "touched_images": len(few.train_rows) + validated,
    }


class _StepTimes(Callback):
    """When each optimizer step ended, and how long the checkpoint after the epoch took."""

    def start(self, state: TrainingState) -> None:
        self._views = state.views
        self._ended: list[float] = []

    def step(self, state: TrainingState) -> None:  # noqa: ARG002
        self._ended.append(time.perf_counter())

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:  # noqa: ARG002
        self._validated = time.perf_counter()

    def end(self, state: TrainingState, result: TrainingResult) -> None:  # noqa: ARG002
        self.checkpoint_s = time.perf_counter() - self._validated

    def batch_s(self) -> float:
        """Mean time of a batch with all its views, without those that warm up where there are others."""
        batches = len(self._ended) // self._views
        skipped = min(math.ceil(_WARM_UP_STEPS / self._views), batches - 1)
        if not skipped:
            return self._ended[-1] - self._ended[0]
        return (self._ended[-1] - self._ended[skipped * self._views - 1]) / (batches - skipped)


def _views(job: Job) -> int:
    from morphobench.training.data.views import training_views

    return training_views(job.setup.setting, job.training).views


def _few(job: Job, *, views: int, checkpoint_dir: Path) -> Job:
    """The job with as many batches as the calibration takes, and one epoch."""
    batches = max(_MIN_BATCHES, math.ceil(_MIN_STEPS / views))
    return replace(
        job,
        training=replace(job.training, epochs=1, checkpoint_dir=checkpoint_dir),
        train_rows=job.train_rows[: batches * job.training.images_per_step],
        validation_rows=job.validation_rows[:_VALIDATED],
    )


def _bytes_of(encoder: torch.nn.Module) -> int:
    return sum(one.numel() * one.element_size() for one in encoder.state_dict().values())


def projected(
    job: Job, found: dict[str, Any], *, images: int, overhead_s: float, times: float = 1.0
) -> SetupProjection:
    """Project a setup from what `calibrate` measured.

    Args:
        job: The setup, with all rows that the run would train on.
        found: Measured.
        images: Images to embed.
        overhead_s: Seconds that a process takes beside training.
        times: How many times as many images as the job has are trained on and validated.

    Returns:
        The projection.
    """
    trained, validated = (round(times * len(rows)) for rows in (job.train_rows, job.validation_rows))
    batches = max(1, trained // job.training.images_per_step)  # an incomplete last batch is dropped
    epoch_s = batches * found["batch_s"] + validated * found["validation_s"] + found["checkpoint_s"]
    store = ImageStore.open(job.store)
    # Images are read through a memory map, whose pages count as memory of the process once they were read.
    unread = max(0, trained + validated - found["touched_images"])
    image_bytes = int(np.prod(store.images.shape[1:]))
    memory = found["memory"]
    return SetupProjection(
        setup=str(job.setup),
        epoch_s=epoch_s,
        training_s=overhead_s + job.training.epochs * epoch_s,
        embedding_s=images * found["embedding_s"],
        host_memory_bytes=memory["peak_host_memory_bytes"] + unread * image_bytes,
        device_memory_bytes=memory["peak_device_memory_bytes"],
    )


def _evaluation_s(
    features: Float32Array, metadata: pd.DataFrame, options: RunOptions, *, images: int
) -> float:
    whole = _timed(features, metadata, options, np.arange(len(features), dtype=np.int64))
    if images <= len(features):
        return whole
    half = _timed(features, metadata, options, subset(metadata, images=len(features) // 2, seed=0))
    growth = min(max(math.log2(whole / half), 1.0), 2.0)
    return float(whole * (images / len(features)) ** growth)


def _timed(features: Float32Array, metadata: pd.DataFrame, options: RunOptions, rows: Int64Array) -> float:
    inputs = EvaluationInput(
        features[rows],
        metadata.iloc[rows],
        options.evaluation,
        protocol=options.protocol,
        seed=0,
        device=options.execution.device,
    )
    started = time.perf_counter()
    evaluate(inputs, tasks=options.evaluation.tasks)
    return time.perf_counter() - started
