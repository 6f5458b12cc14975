"""The run: each setup and seed trained in its own process, evaluated here, recorded; resumable."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from morphobench import types
from morphobench._util.json import plain, read_json, write_json
from morphobench.data import ImageStore, split, subset
from morphobench.data.splits.split import Split
from morphobench.embeddings import read_embeddings, write_embeddings
from morphobench.errors import CheckError, InputError
from morphobench.measure import IsolatedError, run_isolated
from morphobench.objectives.registry import find
from morphobench.run.baselines import BASELINES, PREFIX, UNTRAINED
from morphobench.run.environment import environment
from morphobench.run.evaluate import evaluated
from morphobench.run.folder import FAILURES, LOCK, RESULTS, SetupFiles
from morphobench.run.options import RunOptions, prepare
from morphobench.run.progress import RunProgress
from morphobench.run.record import (
    SCHEMA_VERSION,
    Record,
    append_line,
    append_record,
    finished,
    read_records,
)
from morphobench.run.worker import Job
from morphobench.setups import PARADIGMS, Setup
from morphobench.types import Int64Array

_WORKER = "morphobench.run.worker"
_SUBSET_SEED = 0  # every seed of a run looks at the same images


@dataclass(frozen=True)
class SeedData:
    """The data of one seed: rows of the store, their split, their metadata with ``Metadata_Split``."""

    rows: Int64Array
    parts: Split
    metadata: pd.DataFrame

    def part(self, name: str) -> Int64Array:
        """The store's rows of "train", "validation" or "test"."""
        chosen: Int64Array = self.rows[self.parts.rows(name)]
        return chosen


def run(
    store_path: types.Path, out: types.Path, *, options: RunOptions, fresh: bool = False, quiet: bool = False
) -> list[Record]:
    """Train and evaluate every setup and seed of ``options`` on the store; the records, baselines first.

    What ``out`` already holds is not done again. Ctrl-C leaves ``out`` valid; the same call goes on there.
    Raises InputError for bad input or an ``out`` made with other options (unless ``fresh``), and CheckError
    at the end when setups failed (``failures.jsonl`` says how); the others are done and recorded.
    """
    out = Path(out)
    store, rows, data = open_data(store_path, options)
    seeds = {seed: seed_data(store, rows, seed, options.train_images) for seed in range(options.seeds)}
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        prepare(out, {"options": options.describe(), "data": data}, fresh=fresh)
        work = _Run(store, out, options, plain(data), seeds)
        failures = work.all(quiet=quiet)
    if failures:
        raise CheckError(
            f"{len(failures)} of {work.total} failed: {'; '.join(failures[:3])}"
            f"{'; ...' if len(failures) > 3 else ''}. {out / FAILURES} says how; run again to try them again"
        )
    return read_records(out)


def open_data(store_path: types.Path, options: RunOptions) -> tuple[ImageStore, Int64Array, dict[str, Any]]:
    """The store, the rows of it that ``options`` take, and what identifies them.

    InputError where the setups need a class that the rows lack.
    """
    store = ImageStore.open(store_path)
    images = len(store) if options.images is None else min(options.images, len(store))
    rows = subset(store.metadata, images=images, seed=_SUBSET_SEED)
    _require_classes(store, rows, options)
    return (
        store,
        rows,
        {
            "content_sha256": store.manifest["content_sha256"],
            "images": len(rows),
            "image_shape": store.images.shape[1:],
        },
    )


class _Run:
    def __init__(
        self,
        store: ImageStore,
        out: Path,
        options: RunOptions,
        data: dict[str, Any],
        seeds: Mapping[int, SeedData],
    ) -> None:
        self.store, self.out, self.options, self.data, self.seeds = store, out, options, data, seeds
        self.environment = environment(device=options.device, threads=options.threads)
        self.work = [
            (name, seed)
            for seed in seeds
            for name in (
                *(f"{PREFIX}{name}" for name in baseline_names(options)),
                *(str(setup) for setup in options.setups),
            )
        ]
        self.total = len(self.work)

    def all(self, *, quiet: bool) -> list[str]:
        """Do what is not done; what failed, by name and reason."""
        results = self.out / RESULTS
        done = finished(read_records(results)) if results.exists() else set()
        left = [item for item in self.work if item not in done]
        failures: list[str] = []
        (self.out / FAILURES).unlink(missing_ok=True)
        with RunProgress(self.total, done=self.total - len(left), quiet=quiet) as progress:
            if len(left) < self.total:
                progress.note(f"{self.total - len(left)} of {self.total} were done before")
            for warning in sorted({text for seed in self.seeds.values() for text in seed.parts.warnings}):
                progress.note(f"warning: {warning}")
            for name, seed in left:
                progress.begin(f"{name}, seed {seed}")
                try:
                    record = self._one(name, seed, progress)
                except (IsolatedError, CheckError) as error:
                    failures.append(f"{name} (seed {seed}): {error}")
                    self._note_failure(name, seed, error)
                    progress.end(f"failed ({error})")
                    continue
                append_record(results, record)
                SetupFiles.of(self.out, name, seed).drop_checkpoint()
                progress.end()
        return failures

    def _one(self, name: str, seed: int, progress: RunProgress) -> dict[str, Any]:
        files = SetupFiles.of(self.out, name, seed)
        started = time.perf_counter()
        if files.outcome.is_file() and files.embeddings.is_file():
            outcome = read_json(files.outcome)  # it was interrupted in evaluation
        elif name.startswith(PREFIX):
            outcome = self._baseline(name.removeprefix(PREFIX), seed, files)
        else:
            job = self._job(Setup.parse(name), seed, files)
            outcome = run_isolated(
                f"{_WORKER}:train_and_embed", {"job": job}, on_message=progress.message
            ).value
        trained_s = time.perf_counter() - started
        progress.message({"stage": "evaluating"})
        embeddings, metadata, _ = read_embeddings(files.embeddings)
        found = evaluated(
            self.options.evaluation(embeddings, metadata, seed), self.options.tasks, files.tables
        )
        record = self._record(name, seed, outcome)
        return {
            **record,
            **found,
            "training_and_embedding_s": trained_s,
            "evaluation_s": time.perf_counter() - started - trained_s,
            "environment": self.environment,
        }

    def _job(self, setup: Setup, seed: int, files: SetupFiles) -> Job:
        options, data = self.options, self.seeds[seed]
        return Job(
            store=self.store.path,
            setup=setup,
            objective=options.objectives.get(setup.paradigm, setup.paradigm),
            encoder=setup.encoder or options.encoder[0],
            protocol=options.protocol,
            seed=seed,
            epochs=options.epochs,
            batch_size=options.batch_size,
            accumulate=options.accumulate,
            precision=options.precision,
            device=options.device,
            threads=options.threads,
            rows=data.rows,
            train_rows=data.part("train"),
            validation_rows=data.part("validation"),
            metadata=data.metadata,
            files=files,
            provenance=self._provenance(str(setup), seed),
        )

    def _provenance(self, name: str, seed: int) -> dict[str, Any]:
        return {
            "setup": name,
            "protocol": self.options.protocol,
            "seed": seed,
            "epochs": self.options.epochs,
            "data_sha256": self.data["content_sha256"],
            "morphobench": self.environment["versions"]["morphobench"],
            "torch": self.environment["versions"]["torch"],
            "commit": self.environment["commit"],
        }

    def _baseline(self, name: str, seed: int, files: SetupFiles) -> dict[str, Any]:
        data = self.seeds[seed]
        plain_name, _, encoder = name.partition("@")
        features = BASELINES[plain_name]
        if features is None:
            job = self._job(Setup(PARADIGMS[0], "no_aug_one_crop", encoder), seed, files)
            job = replace(job, provenance=self._provenance(f"{PREFIX}{name}", seed))
            return dict(run_isolated(f"{_WORKER}:embed_untrained", {"job": job}).value)
        embeddings = features(self.store.images, data.rows, data.part("train"), seed)
        files.embeddings.parent.mkdir(parents=True, exist_ok=True)
        write_embeddings(
            files.embeddings,
            embeddings,
            data.metadata,
            provenance=self._provenance(f"{PREFIX}{name}", seed),
        )
        outcome = {"features": embeddings.shape[1]}
        write_json(files.outcome, outcome)
        return outcome

    def _record(self, name: str, seed: int, outcome: Mapping[str, Any]) -> dict[str, Any]:
        options, parts = self.options, self.seeds[seed].parts
        training = outcome.get("training") or {}
        counts = {
            part: int(np.count_nonzero(parts.labels == part)) for part in ("train", "validation", "test")
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "setup": name,
            "kind": "baseline" if name.startswith(PREFIX) else "setup",
            "protocol": options.protocol,
            "seed": seed,
            "encoder": name.partition("@")[2] or options.encoder[0],
            "precision": options.precision,
            "time_per_view_ns": training.get("time_per_view_ns"),
            "time_per_epoch_s": training.get("time_per_epoch_s"),
            "time_per_image_ns": _time_per_image_ns(training, counts["train"]),
            "embedding_time_per_image_ns": outcome.get("embedding_time_per_image_ns"),
            "peak_host_memory_bytes": outcome.get("peak_host_memory_bytes"),
            "host_memory_before_training_bytes": outcome.get("host_memory_before_training_bytes"),
            "peak_device_memory_bytes": outcome.get("peak_device_memory_bytes"),
            "peak_device_memory_reserved_bytes": outcome.get("peak_device_memory_reserved_bytes"),
            "convergence_epoch": training.get("convergence_epoch"),
            "stopped_early": training.get("stopped_early"),
            "epochs_done": training.get("epochs_done"),
            "views_trained": training.get("views_trained"),
            "history": training.get("history", []),
            "views": outcome.get("views"),
            "views_per_image": outcome.get("views_per_image"),
            "features": outcome.get("features"),
            "weights_sha256": outcome.get("weights_sha256"),
            "preset": options.profile,
            "epochs": options.epochs,
            "batch_size": options.batch_size,
            "profile": options.describe(),
            "notes": options.notes(),
            "data": self.data,
            "split": {"grouped_by": parts.grouped_by, "warnings": list(parts.warnings), "images": counts},
        }

    def _note_failure(self, name: str, seed: int, error: Exception) -> None:
        failure: dict[str, Any] = {
            "setup": name,
            "protocol": self.options.protocol,
            "seed": seed,
            "error": str(error),
            "details": getattr(error, "details", ""),
        }
        append_line(self.out / FAILURES, failure)


def seed_data(store: ImageStore, rows: Int64Array, seed: int, train_images: int | None) -> SeedData:
    """Split ``rows`` of the store by ``seed``; of the train part at most ``train_images`` stay."""
    metadata = store.metadata.iloc[rows]
    parts = split(metadata, seed=seed)
    train = np.flatnonzero(parts.labels == "train")
    if train_images is not None and len(train) > train_images:
        kept = parts.labels != "train"
        kept[train[subset(metadata.iloc[train], images=train_images, seed=_SUBSET_SEED)]] = True
        rows, metadata, parts = rows[kept], metadata[kept], replace(parts, labels=parts.labels[kept])
    described = metadata[[name for name in metadata.columns if str(name).startswith("Metadata_")]]
    described = described.assign(
        Metadata_ImageId=store.image_ids[rows], Metadata_Split=np.asarray(parts.labels, dtype=object)
    )
    return SeedData(rows, parts, described)


def baseline_names(options: RunOptions) -> list[str]:
    """The baselines of a run; the untrained encoder once for each of several encoders, as "name@encoder"."""
    several = options.encoder if len(options.encoder) > 1 else ()
    return [
        name
        for baseline in options.baselines
        for name in (
            [f"{baseline}@{encoder}" for encoder in several]
            if baseline == UNTRAINED and several
            else [baseline]
        )
    ]


def _require_classes(store: ImageStore, rows: Int64Array, options: RunOptions) -> None:
    present = sorted({("control", "drug")[label] for label in store.labels[rows]})
    needing = [str(setup) for setup in options.setups if _needs_labels(setup, options)]
    if needing and len(present) < 2:
        raise InputError(
            f"Metadata_ControlType: control and drug images wanted by {needing[0]}, "
            f"got only {present[0]} images; --setups can leave out what needs both"
        )


def _needs_labels(setup: Setup, options: RunOptions) -> bool:
    objective = find(options.objectives.get(setup.paradigm, setup.paradigm))
    return bool(getattr(objective, "needs_labels", True))


def _time_per_image_ns(training: Mapping[str, Any], images: int) -> float | None:
    seconds = training.get("time_per_epoch_s")
    return None if seconds is None or not images else seconds * 1e9 / images


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep two runs out of one folder; the system drops the lock when the process ends, however it ends."""
    descriptor = os.open(out / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"OUT: a folder no run is working in wanted, but one is at work in {out}"
            ) from None
        yield
    finally:
        os.close(descriptor)
