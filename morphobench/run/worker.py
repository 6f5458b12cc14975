"""What a run does in processes of their own: train and embed one setup, embed with an untrained encoder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from morphobench._util.hashing import sha256_file
from morphobench._util.json import write_json
from morphobench.augment import view_spec
from morphobench.data import ImageStore
from morphobench.embeddings import embed, write_embeddings
from morphobench.measure import (
    current_host_memory_bytes,
    peak_device_memory,
    peak_host_memory_bytes,
    report,
    reset_peak_host_memory,
)
from morphobench.models import save_encoder
from morphobench.objectives import Objective, create
from morphobench.run.folder import SetupFiles
from morphobench.setups import Setup
from morphobench.training import (
    Callback,
    EpochRecord,
    ImageRows,
    TrainingOptions,
    TrainingResult,
    TrainingState,
    train,
)
from morphobench.training.runtime.precision import matrix_products
from morphobench.types import Int64Array, Precision, Protocol

_TELL_S = 0.5


@dataclass(frozen=True)
class Job:
    """One setup and seed: what to train on (rows of the store, int64), how, and where results go.

    ``objective``: the name that ``objectives.create`` takes. ``rows``: all images of the run; ``train_rows``
    and ``validation_rows`` are among them. ``metadata``: the rows' metadata with ``Metadata_Split``, for the
    file of embeddings.
    """

    store: Path
    setup: Setup
    objective: str
    encoder: str
    protocol: Protocol
    seed: int
    epochs: int
    batch_size: int
    accumulate: int
    precision: Precision
    device: str
    threads: int
    rows: Int64Array
    train_rows: Int64Array
    validation_rows: Int64Array
    metadata: pd.DataFrame
    files: SetupFiles
    provenance: Mapping[str, Any]


def train_and_embed(*, job: Job) -> dict[str, Any]:
    """Train ``job``'s setup; write weights, embeddings and, last, the outcome; return the outcome.

    The peaks of memory are those of training; embedding comes after they are read.
    """
    torch.set_num_threads(job.threads)
    store = ImageStore.open(job.store)
    objective = make_objective(job, store)
    result, memory = train_measured(objective, job, store)
    report({"stage": "embedding"})
    weights_sha256 = _save(objective.encoder, job)
    embedding = _embed_and_write(objective.encoder, store, job, weights_sha256)
    spec = view_spec(job.setup.setting)
    outcome = {
        "training": result.describe(),
        "views": spec.describe(),
        "views_per_image": spec.views,
        **memory,
        "weights_sha256": weights_sha256,
        **embedding,
    }
    write_json(job.files.outcome, outcome)
    return outcome


def train_measured(
    objective: Objective,
    job: Job,
    store: ImageStore,
    *,
    callbacks: Sequence[Callback] = (),
    pause_after_epoch: int | None = None,
) -> tuple[TrainingResult, dict[str, int | None]]:
    """Train as ``job`` says; the result, and the peaks of this process's memory while it trained."""
    before = current_host_memory_bytes()
    reset_peak_host_memory()
    result = train(
        objective,
        images=ImageRows(store.images, job.train_rows),
        labels=store.labels[job.train_rows],
        image_ids=store.image_ids[job.train_rows],
        setting=job.setup.setting,
        options=TrainingOptions(
            epochs=job.epochs,
            batch_size=job.batch_size,
            accumulate=job.accumulate,
            precision=job.precision,
            seed=job.seed,
            size_px=store.images.shape[2],
            device=job.device,
            threads=job.threads,
            checkpoint_dir=job.files.folder,
            data_id=str(job.provenance.get("data_sha256")),
            pause_after_epoch=pause_after_epoch,
        ),
        validation=(
            ImageRows(store.images, job.validation_rows),
            store.labels[job.validation_rows],
            store.image_ids[job.validation_rows],
        ),
        callbacks=[_Teller(), *callbacks],
    )
    device = peak_device_memory(job.device)
    return result, {
        "peak_host_memory_bytes": peak_host_memory_bytes(),
        "host_memory_before_training_bytes": before,
        "peak_device_memory_bytes": None if device is None else device.allocated_bytes,
        "peak_device_memory_reserved_bytes": None if device is None else device.reserved_bytes,
    }


def embed_untrained(*, job: Job) -> dict[str, Any]:
    """Embed with the encoder as every setup of this seed starts with it; write weights and embeddings."""
    torch.set_num_threads(job.threads)
    store = ImageStore.open(job.store)
    objective = make_objective(job, store)
    weights_sha256 = _save(objective.encoder, job)
    embedding = _embed_and_write(objective.encoder, store, job, weights_sha256)
    outcome = {"weights_sha256": weights_sha256, **embedding}
    write_json(job.files.outcome, outcome)
    return outcome


def make_objective(job: Job, store: ImageStore) -> Objective:
    """The objective that ``job`` trains, with its initial weights, for the store's images."""
    return create(
        job.objective,
        encoder=job.encoder,
        protocol=job.protocol,
        channels=store.images.shape[1],
        size_px=store.images.shape[2],
        seed=job.seed,
        device=job.device,
    )


def _save(encoder: torch.nn.Module, job: Job) -> str:
    job.files.weights.parent.mkdir(parents=True, exist_ok=True)
    save_encoder(
        job.files.weights, encoder, metadata={key: str(value) for key, value in job.provenance.items()}
    )
    return sha256_file(job.files.weights)


def _embed_and_write(
    encoder: torch.nn.Module, store: ImageStore, job: Job, weights_sha256: str
) -> dict[str, Any]:
    started = time.perf_counter_ns()
    with matrix_products(job.precision, torch.device(job.device)):
        embeddings = embed(encoder, ImageRows(store.images, job.rows), device=job.device)
    nanoseconds = time.perf_counter_ns() - started
    job.files.embeddings.parent.mkdir(parents=True, exist_ok=True)
    write_embeddings(
        job.files.embeddings,
        embeddings,
        job.metadata,
        provenance={**job.provenance, "weights_sha256": weights_sha256},
    )
    return {"embedding_time_per_image_ns": nanoseconds / len(job.rows), "features": embeddings.shape[1]}


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
