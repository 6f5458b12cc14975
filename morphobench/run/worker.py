"""What a run does in processes of their own: train and embed one setup, embed with an untrained encoder."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from morphobench._util.arrays import thinned
from morphobench._util.json import write_json
from morphobench.data import ImageStore
from morphobench.embeddings import embed, embed_by_group, write_embeddings
from morphobench.errors import InputError
from morphobench.measure import (
    current_host_memory_bytes,
    heap_profile,
    peak_device_memory,
    peak_host_memory_bytes,
    report,
    reset_peak_host_memory,
)
from morphobench.models import save_encoder, weights_sha256
from morphobench.models.batch_norm_cnn import has_batch_norm, with_statistics_of
from morphobench.models.preprocessing import float_batches
from morphobench.objectives import Objective, create
from morphobench.run.environment import environment
from morphobench.run.job import Embedding, Job
from morphobench.run.reconstructions import write_reconstructions
from morphobench.setups import PARADIGMS
from morphobench.training import (
    Callback,
    EpochRecord,
    ImageRows,
    LabelledImages,
    TrainingOptions,
    TrainingResult,
    TrainingState,
    train,
)
from morphobench.training.callbacks.schedules import learning_rate_schedule
from morphobench.training.callbacks.tracking import trackers
from morphobench.training.data.groups import group_codes
from morphobench.training.data.views import training_views
from morphobench.training.runtime.precision import matrix_products
from morphobench.types import Float32Array, Int64Array, Protocol

MOST_FOR_STATISTICS = 32_768
"""Images at most that BatchNorm takes its statistics from; more would not move a mean over all pixels."""

_TELL_S = 0.5
_SHOWN = 10  # images of an autoencoder's picture


def train_and_embed(*, job: Job, embedding: Embedding) -> dict[str, Any]:
    """Train a setup; write weights, embeddings and, last, the outcome.

    The peaks of memory are those of training; embedding comes after they are read.

    Args:
        job: What to train.
        embedding: What to embed with the trained encoder.

    Returns:
        The outcome, as ``embedding.files.outcome`` holds it.
    """
    use_threads(job.training)
    store = ImageStore.open(job.store)
    objective = make_objective(job, store)
    result, memory = train_measured(objective, job, store, callbacks=trackers(job.track, job.training.folder))
    report({"stage": "embedding"})
    shown = store.images[job.validation_rows[:_SHOWN]]
    write_reconstructions(objective, shown, embedding.files.reconstructions)
    spec = training_views(job.setup.setting, job.training)
    outcome = {
        "training": result.describe(),
        "views": spec.describe(),
        "views_per_image": spec.views,
        # the machine that trained it, which on a cluster is another one than that which evaluates
        "environment": environment(device=job.training.device, threads=job.training.threads or 1),
        **memory,
        **_embed_and_write(objective.encoder, store, job.training, embedding),
    }
    write_json(embedding.files.outcome, outcome)
    return outcome


def train_measured(
    objective: Objective,
    job: Job,
    store: ImageStore,
    *,
    callbacks: Sequence[Callback] = (),
) -> tuple[TrainingResult, dict[str, int | None]]:
    """Train, and read the peaks of this process's memory while it trained.

    Args:
        objective: What `make_objective` made of the job.
        job: What to train, and how.
        store: The job's store.
        callbacks: Further callbacks.

    Returns:
        The result of training, and bytes by kind of memory.
    """
    before = current_host_memory_bytes()
    reset_peak_host_memory()
    codes = group_codes(store.metadata)
    images, held_out = (_labelled(store, codes, rows) for rows in (job.train_rows, job.validation_rows))
    with heap_profile(_heap_file(job)):
        result = train(
            objective,
            images=images.images,
            labels=images.labels,
            image_ids=images.image_ids,
            groups=images.groups,
            setting=job.setup.setting,
            options=job.training,
            validation=held_out,
            callbacks=[_Teller(), *learning_rate_schedule(job.training), *callbacks],
        )
    device = peak_device_memory(job.training.device)
    return result, {
        "peak_host_memory_bytes": peak_host_memory_bytes(),
        "host_memory_before_training_bytes": before,
        "peak_device_memory_bytes": None if device is None else device.allocated_bytes,
        "peak_device_memory_reserved_bytes": None if device is None else device.reserved_bytes,
    }


def _heap_file(job: Job) -> Path | None:
    """Where memray's profile of a training goes; None unless MORPHOBENCH_HEAP_PROFILE names a folder."""
    folder = os.environ.get("MORPHOBENCH_HEAP_PROFILE")
    name = f"{str(job.setup).replace('/', '__')}__seed{job.training.seed}.bin"
    return None if not folder else Path(folder) / name


def _labelled(store: ImageStore, codes: Mapping[str, Int64Array], rows: Int64Array) -> LabelledImages:
    return LabelledImages(
        ImageRows(store.images, rows),
        labels=store.labels[rows],
        image_ids=store.image_ids[rows],
        groups={name: values[rows] for name, values in codes.items()},
    )


def embed_untrained(
    *, store: Path, encoder: str, protocol: Protocol, training: TrainingOptions, embedding: Embedding
) -> dict[str, Any]:
    """Embed with the encoder as every setup of a seed starts with it; write weights and embeddings.

    Args:
        store: The store's folder.
        encoder: Name of the encoder.
        protocol: Rules of training.
        training: The run's, with the seed and the device.
        embedding: What to embed.

    Returns:
        The outcome, as ``embedding.files.outcome`` holds it.
    """
    use_threads(training)
    opened = ImageStore.open(store)
    # Every paradigm gives its encoder the same initial weights, so any of them will do.
    objective = _create(PARADIGMS[0], encoder, protocol, training, opened)
    outcome = _embed_and_write(objective.encoder, opened, training, embedding)
    write_json(embedding.files.outcome, outcome)
    return outcome


def make_objective(job: Job, store: ImageStore) -> Objective:
    """Make the objective that a job trains, with its initial weights.

    Args:
        job: What is trained.
        store: Its store, which says the size and channels of images.

    Returns:
        The objective, on the job's device.
    """
    return _create(job.objective, job.encoder, job.protocol, job.training, store, **job.settings)


def _create(
    objective: str,
    encoder: str,
    protocol: Protocol,
    training: TrainingOptions,
    store: ImageStore,
    **settings: Any,
) -> Objective:
    return create(
        objective,
        encoder=encoder,
        protocol=protocol,
        channels=store.images.shape[1],
        size_px=store.images.shape[2],
        seed=training.seed,
        device=training.device,
        **_optimizer_settings(training),
        **settings,
    )


def _optimizer_settings(training: TrainingOptions) -> dict[str, Any]:
    """Those that are not the study's: other people's objectives need not take them."""
    plain = TrainingOptions()
    names = ("optimizer", "learning_rate", "weight_decay")
    return {
        name: value for name, value in vars(training).items() if name in names and value != vars(plain)[name]
    }


def use_threads(training: TrainingOptions) -> None:
    """Give torch as many threads as the options say.

    Args:
        training: Options of training; None threads leave torch's own number.
    """
    if training.threads is not None:
        torch.set_num_threads(training.threads)


def _embed_and_write(
    encoder: torch.nn.Module, store: ImageStore, training: TrainingOptions, embedding: Embedding
) -> dict[str, Any]:
    files, provenance = embedding.files, embedding.provenance
    files.weights.parent.mkdir(parents=True, exist_ok=True)
    save_encoder(files.weights, encoder, metadata={key: str(value) for key, value in provenance.items()})
    digest = weights_sha256(encoder)
    started = time.perf_counter_ns()
    with matrix_products(training.precision, torch.device(training.device)):
        embeddings = _embed(encoder, store, training, embedding)
    nanoseconds = time.perf_counter_ns() - started
    files.embeddings.parent.mkdir(parents=True, exist_ok=True)
    write_embeddings(
        files.embeddings,
        embeddings,
        embedding.metadata,
        provenance={**provenance, "weights_sha256": digest},
    )
    return {
        "weights_sha256": digest,
        "embedding_time_per_image_ns": nanoseconds / len(embedding.rows),
        "features": embeddings.shape[1],
    }


def _embed(
    encoder: torch.nn.Module, store: ImageStore, training: TrainingOptions, embedding: Embedding
) -> Float32Array:
    """Embed with the BatchNorm statistics that the options ask for."""
    rows, device, folder = embedding.rows, training.device, embedding.files.embeddings.parent
    images = ImageRows(store.images, rows)
    if training.batch_norm == "running" or not has_batch_norm(encoder):
        return embed(encoder, images, device=device, folder=folder)
    if training.batch_norm == "plate":
        plates = group_codes(store.metadata).get("plate")
        if plates is None:
            raise InputError(
                "--batch-norm must be running or train where Metadata_Plate is absent, got plate"
            )
        return embed_by_group(encoder, images, plates[rows], device=device, folder=folder)
    train_rows = rows[(embedding.metadata["Metadata_Split"] == "train").to_numpy()]
    train_rows = thinned(train_rows, MOST_FOR_STATISTICS, seed=0)
    batches = float_batches(ImageRows(store.images, train_rows), device=device)
    return embed(with_statistics_of(encoder.to(device), batches), images, device=device, folder=folder)


class _Teller(Callback):
    """Tells the run how far training is, at most twice a second."""

    def __init__(self) -> None:
        self._told = 0.0

    def step(self, state: TrainingState) -> None:
        now = time.monotonic()
        if now - self._told > _TELL_S:
            self._told = now
            report({"stage": f"epoch {state.epochs_done + 1}, step {state.position}/{state.steps_per_epoch}"})

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:  # noqa: ARG002
        report({"stage": f"epoch {record.epoch}, loss {record.training['loss']:.4g}"})
