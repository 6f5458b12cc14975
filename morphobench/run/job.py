"""What a worker process is asked to do, and where it leaves the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from morphobench.data import ImageStore
from morphobench.run.data import SeedData
from morphobench.run.folder import SetupFiles
from morphobench.run.options import SetupOptions
from morphobench.setups import Setup
from morphobench.training import TrainingOptions
from morphobench.types import Int64Array, Protocol


@dataclass(frozen=True)
class Job:
    """One setup and seed to train.

    Attributes:
        store: The store's folder.
        setup: What is trained.
        objective: Name that ``objectives.create`` takes for the setup's paradigm.
        encoder: Name of its encoder.
        protocol: Rules of training.
        training: How, with the seed, the device and the folder of the checkpoint.
        train_rows: Rows of the store to train on, int64.
        validation_rows: Rows whose loss is taken after each epoch, int64.
        settings: Settings of the objective that differ from its defaults, by name.
        track: Tracker that shows the epochs, of ``training.callbacks.tracking.TRACKERS``, or "none".
    """

    store: Path
    setup: Setup
    objective: str
    encoder: str
    protocol: Protocol
    training: TrainingOptions
    train_rows: Int64Array
    validation_rows: Int64Array
    settings: Mapping[str, Any] = field(default_factory=dict)
    track: str = "none"


@dataclass(frozen=True)
class Embedding:
    """Which images are embedded once an encoder is there, and where the results go.

    Attributes:
        rows: Rows of the store, int64 (N,).
        metadata: Their metadata with ``Metadata_Split``, N rows.
        files: Places of the results.
        provenance: What the files of weights and embeddings say of themselves.
    """

    rows: Int64Array
    metadata: pd.DataFrame
    files: SetupFiles
    provenance: Mapping[str, Any]


def training_options(
    options: SetupOptions, store: ImageStore, *, seed: int, checkpoint_dir: Path | None = None
) -> TrainingOptions:
    """Fill in what a run knows of each training: its seed, its images, its device.

    Args:
        options: Options of the run.
        store: The store.
        seed: Seed of the training.
        checkpoint_dir: Folder of the checkpoint.

    Returns:
        The run's options of training with these.
    """
    return replace(
        options.training,
        seed=seed,
        size_px=store.images.shape[2],
        device=options.execution.device,
        threads=options.execution.threads,
        checkpoint_dir=checkpoint_dir,
        data_id=str(store.manifest["content_sha256"]),
    )


def training_job(
    setup: Setup,
    options: SetupOptions,
    store: ImageStore,
    data: SeedData,
    *,
    seed: int,
    checkpoint_dir: Path,
) -> Job:
    """Make the job of training one setup, for a worker process.

    Args:
        setup: What is trained.
        options: Options of the run.
        store: The store.
        data: The images of the seed, and their split.
        seed: Seed of the training.
        checkpoint_dir: Folder of the checkpoint.

    Returns:
        The job.
    """
    return Job(
        store=store.path,
        setup=setup,
        objective=options.objective_of(setup),
        encoder=options.encoder_of(setup),
        protocol=options.protocol,
        training=training_options(options, store, seed=seed, checkpoint_dir=checkpoint_dir),
        train_rows=data.part("train"),
        validation_rows=data.part("validation"),
        settings=options.settings_of(setup),
    )
