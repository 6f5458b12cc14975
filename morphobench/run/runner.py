"""The run: each setup and seed trained in its own process, evaluated here, recorded; resumable."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from morphobench import types
from morphobench._util.hashing import sha256_file
from morphobench._util.json import plain, read_json, write_json
from morphobench._util.progress import duration
from morphobench.data import ImageStore
from morphobench.embeddings import read_embeddings, write_embeddings
from morphobench.errors import CheckError
from morphobench.evaluation import EvaluationInput
from morphobench.measure import IsolatedError, RoundPlan, run_isolated
from morphobench.run.baselines import (
    BASELINES,
    BATCH_NORM_ENCODER,
    PREFIX,
    UNTRAINED_BATCH_NORM,
    Inputs,
    baseline_names,
)
from morphobench.run.checks.audit import audit_of_run
from morphobench.run.cost.timing import not_timed, timed_once
from morphobench.run.curve import curve_points, train_rows_of, trained_on
from morphobench.run.data import SeedData, open_data, pixel_statistics, seed_data
from morphobench.run.engines import Finished, SlurmEngine, Work, make_engine
from morphobench.run.environment import environment
from morphobench.run.evaluate import evaluated
from morphobench.run.folder import (
    AUDIT,
    ENGINE,
    FAILURES,
    OPTIONS,
    RESULTS,
    SetupFiles,
    kept_in_place,
    timing_file,
)
from morphobench.run.job import Embedding, Job, training_job, training_options
from morphobench.run.lock import locked
from morphobench.run.options import RunOptions
from morphobench.run.prepare import prepare, require_own
from morphobench.run.progress import RunProgress
from morphobench.run.record import (
    SCHEMA_VERSION,
    Record,
    append_line,
    append_record,
    read_records,
)
from morphobench.setups import Setup
from morphobench.training.callbacks.tracking import require_tracker
from morphobench.training.data.views import training_views
from morphobench.types import Int64Array

_WORKER = "morphobench.run.worker"


def run(
    store_path: types.Path, out: types.Path, *, options: RunOptions, fresh: bool = False, quiet: bool = False
) -> list[Record]:
    """Train and evaluate every setup and seed on a store.

    What the folder already holds is not done again. Ctrl-C leaves it valid; the same call goes on there.

    Args:
        store_path: The store.
        out: Folder of the results.
        options: Which setups, and how.
        fresh: Whether to remove the results of another run there first.
        quiet: Whether to show no progress.

    Returns:
        The records, baselines first.

    Raises:
        InputError: Bad input, or a folder of results made with other options.
        CheckError: At the end, where setups failed (``failures.jsonl`` says how); the others are recorded.
    """
    out = Path(out)
    require_own(out)
    require_tracker(options.track)
    store, rows, data = open_data(store_path, options)
    statistics = pixel_statistics(store, rows)
    seeds = {seed: seed_data(store, rows, seed, options.data, statistics) for seed in range(options.seeds)}
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        prepare(out, options, data, store=store.path, fresh=fresh)
        work = _Run(store, out, options, plain(data), seeds)
        with kept_in_place(out):
            failures = work.all(quiet=quiet)
    if failures:
        raise CheckError(
            f"{len(failures)} of {work.total} failed: {'; '.join(failures[:3])}"
            f"{'; ...' if len(failures) > 3 else ''}. {out / FAILURES} says how; run again to try them again"
        )
    for folder, point in curve_points(out, options):
        run(store_path, folder, options=point, fresh=fresh, quiet=quiet)
    return read_records(out) if (out / RESULTS).exists() else []  # none yet where only a script was written


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
        self.environment = environment(device=options.execution.device, threads=options.execution.threads)
        metadata = seeds[min(seeds)].metadata
        self.baselines = baseline_names(options.baselines, options.encoders, metadata)
        self.work = [
            (name, seed)
            for seed in seeds
            for name in (
                *(f"{PREFIX}{name}" for name in self.baselines),
                *(str(setup) for setup in options.setups),
            )
        ]
        self.total = len(self.work)
        self.expected: dict[str, float] = {}
        self.to_do: set[str] = set()

    def all(self, *, quiet: bool) -> list[str]:
        """Do what is not done; what failed, by name and reason."""
        results = self.out / RESULTS
        done = {(one.setup, one.seed) for one in read_records(results)} if results.exists() else set()
        first = self.seeds[min(self.seeds)]
        audit = audit_of_run(self.out / AUDIT, self.store, first.rows, first.metadata)
        left = [item for item in self.work if item not in done]
        self.to_do = {f"{name}, seed {seed}" for name, seed in left}
        failures: list[str] = []
        (self.out / FAILURES).unlink(missing_ok=True)
        with RunProgress(self.total, done=self.total - len(left), quiet=quiet) as progress:
            if len(left) < self.total:
                progress.note(f"{self.total - len(left)} of {self.total} were done before")
            for text in audit.get("verdicts", ()):
                progress.note(f"audit: {text}")
            for warning in sorted({text for seed in self.seeds.values() for text in seed.parts.warnings}):
                progress.note(f"warning: {warning}")
            for name, seed, trained in self._in_order(left, progress):
                if not (self.out / OPTIONS).is_file():  # the caller says so
                    break
                progress.begin(f"{name}, seed {seed}")
                try:
                    if trained is not None and trained.error is not None:
                        raise IsolatedError(trained.error, details=trained.details)
                    record = self._one(name, seed, progress)
                except (IsolatedError, CheckError) as error:
                    failures.append(f"{name} (seed {seed}): {error}")
                    self._note_failure(name, seed, error)
                    progress.end(f"failed ({error})")
                    continue
                append_record(results, {**record, "audit": audit or None})
                SetupFiles.of(self.out, name, seed).drop_checkpoint()
                progress.end()
        return failures

    def _in_order(
        self, left: Sequence[tuple[str, int]], progress: RunProgress
    ) -> Iterator[tuple[str, int, Finished | None]]:
        """The work as it becomes ready: as it stands where it is done here, as it ends on a cluster.

        What a cluster has trained lies in the folder of results, where `_one` finds and evaluates it.
        """
        options = self.options.engine
        if options.engine == "local":
            yield from ((name, seed, None) for name, seed in left)
            return
        engine = make_engine(options, self.options.execution, folder=self.out / ENGINE)
        if options.dry_run and isinstance(engine, SlurmEngine):
            progress.note(f"written and not submitted: {engine.write_script()}")
            return
        jobs: dict[str, tuple[str, int]] = {}
        work = []
        for name, seed in left:
            if name.startswith(PREFIX) or SetupFiles.of(self.out, name, seed).outcome.is_file():
                yield name, seed, None
                continue
            files = SetupFiles.of(self.out, name, seed)
            jobs[files.folder.name] = name, seed
            work.append(Work(files.folder.name, f"{_WORKER}:train_and_embed", self._arguments(name, seed)))
        for trained in engine.run(work, on_message=lambda _, message: progress.note(str(message["stage"]))):
            yield *jobs[trained.work.name], trained

    def _arguments(self, name: str, seed: int) -> dict[str, Any]:
        files = SetupFiles.of(self.out, name, seed)
        return {
            "job": self._job(Setup.parse(name), seed, files),
            "embedding": self._embedding(name, seed, files),
        }

    def _one(self, name: str, seed: int, progress: RunProgress) -> dict[str, Any]:
        files = SetupFiles.of(self.out, name, seed)
        timing = {} if name.startswith(PREFIX) else self._timing(seed, progress)[name]
        started = time.perf_counter()
        if files.outcome.is_file() and files.embeddings.is_file():
            outcome = read_json(files.outcome)  # it was interrupted in evaluation
        elif name.startswith(PREFIX):
            outcome = self._baseline(name.removeprefix(PREFIX), seed, files)
        else:
            outcome = run_isolated(
                f"{_WORKER}:train_and_embed", self._arguments(name, seed), on_message=progress.message
            ).value
        trained_s = time.perf_counter() - started
        progress.message({"stage": "evaluating"})
        embeddings, metadata, _ = read_embeddings(files.embeddings)
        options = self.options
        inputs = EvaluationInput(
            embeddings,
            metadata,
            options.evaluation,
            protocol=options.protocol,
            seed=seed,
            device=options.execution.device,
        )
        found = evaluated(inputs, options.evaluation.tasks, files.tables)
        record = self._record(name, seed, outcome)
        return {
            **record,
            **timing,
            **found,
            "embeddings_sha256": sha256_file(files.embeddings),
            "training_and_embedding_s": trained_s,
            "evaluation_s": time.perf_counter() - started - trained_s,
            "environment": outcome.get("environment") or self.environment,
        }

    def _timing(self, seed: int, progress: RunProgress) -> dict[str, Any]:
        """The times of a seed's training steps, in turns, before the first of its setups is trained."""
        names = [str(setup) for setup in self.options.setups]
        budget_s = self.options.execution.timing_s / len(self.seeds)
        if not budget_s:
            return {name: not_timed("--timing-s 0") for name in names}
        if self.options.engine.engine != "local":
            return {name: not_timed(f"--engine {self.options.engine.engine}") for name in names}
        progress.message({"stage": "timing all setups in turns"})
        jobs = {
            name: self._job(Setup.parse(name), seed, SetupFiles.of(self.out, name, seed)) for name in names
        }
        plan = RoundPlan(rounds=8, budget_s=budget_s, seed=seed)
        found = timed_once(timing_file(self.out, seed), jobs, plan)
        self._expect(found, jobs, progress)
        return found

    def _expect(self, timing: Mapping[str, Any], jobs: Mapping[str, Job], progress: RunProgress) -> None:
        """Tell, once, how long training will take by the steps that were timed."""
        if self.expected or any(timing[name].get("time_per_view_ns") is None for name in jobs):
            return
        for name, job in jobs.items():
            views = training_views(job.setup.setting, job.training).views
            steps_s = 1e-9 * timing[name]["time_per_view_ns"] * len(job.train_rows) * views
            self.expected |= {f"{name}, seed {seed}": job.training.epochs * steps_s for seed in self.seeds}
        progress.note(
            f"training steps of all {len(self.expected)} setups and seeds take about "
            f"{duration(sum(self.expected.values()))}; `morphobench project` predicts the whole run"
        )
        progress.expect({name: s for name, s in self.expected.items() if name in self.to_do})

    def _job(self, setup: Setup, seed: int, files: SetupFiles) -> Job:
        job = training_job(
            setup, self.options, self.store, self.seeds[seed], seed=seed, checkpoint_dir=files.folder
        )
        return replace(job, train_rows=self._train_rows(seed), track=self.options.track)

    def _train_rows(self, seed: int) -> Int64Array:
        data = self.seeds[seed]
        return train_rows_of(data.rows, data.metadata, max(self.options.train_fraction), seed)

    def _embedding(self, name: str, seed: int, files: SetupFiles) -> Embedding:
        data = self.seeds[seed]
        return Embedding(data.rows, data.metadata, files, self._provenance(name, seed))

    def _provenance(self, name: str, seed: int) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "setup": name,
            "protocol": self.options.protocol,
            "seed": seed,
            "epochs": self.options.training.epochs,
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
            training = training_options(self.options, self.store, seed=seed)
            if name == UNTRAINED_BATCH_NORM and training.batch_norm == "running":
                training = replace(training, batch_norm="train")  # nothing has run, so there are none
            work = {
                "store": self.store.path,
                "encoder": encoder or self._encoder(name),
                "protocol": self.options.protocol,
                "training": training,
                "embedding": self._embedding(f"{PREFIX}{name}", seed, files),
            }
            return dict(run_isolated(f"{_WORKER}:embed_untrained", work).value)
        given = Inputs(self.store.images, data.rows, data.part("train"), seed, data.metadata)
        embeddings = features(given)
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
        trained = {} if name.startswith(PREFIX) else trained_on(self.store, self._train_rows(seed))
        counts = {
            part: int(np.count_nonzero(parts.labels == part)) for part in ("train", "validation", "test")
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "setup": name,
            "kind": "baseline" if name.startswith(PREFIX) else "setup",
            "protocol": options.protocol,
            "seed": seed,
            "encoder": name.partition("@")[2] or self._encoder(name.removeprefix(PREFIX)),
            "precision": options.training.precision,
            "time_per_view_ns": training.get("time_per_view_ns"),
            "time_per_epoch_s": training.get("time_per_epoch_s"),
            "time_per_image_ns": _time_per_image_ns(training, trained.get("train_images")),
            "embedding_time_per_image_ns": outcome.get("embedding_time_per_image_ns"),
            "peak_host_memory_bytes": outcome.get("peak_host_memory_bytes"),
            "host_memory_before_training_bytes": outcome.get("host_memory_before_training_bytes"),
            "peak_device_memory_bytes": outcome.get("peak_device_memory_bytes"),
            "peak_device_memory_reserved_bytes": outcome.get("peak_device_memory_reserved_bytes"),
            "convergence_epoch": training.get("convergence_epoch"),
            "stopped_early": training.get("stopped_early"),
            "epochs_done": training.get("epochs_done"),
            "views_trained": training.get("views_trained"),
            "sampling": training.get("sampling"),
            "history": training.get("history", []),
            "views": outcome.get("views"),
            "views_per_image": outcome.get("views_per_image"),
            "features": outcome.get("features"),
            "weights_sha256": outcome.get("weights_sha256"),
            "preset": options.profile,
            "epochs": options.training.epochs,
            "batch_size": options.training.batch_size,
            "train_fraction": max(options.train_fraction) if trained else None,
            **trained,
            "profile": options.describe(),
            "notes": options.notes(),
            "data": self.data,
            "split": {"grouped_by": parts.grouped_by, "warnings": list(parts.warnings), "images": counts},
        }

    def _encoder(self, name: str) -> str:
        return BATCH_NORM_ENCODER if name == UNTRAINED_BATCH_NORM else self.options.encoders[0]

    def _note_failure(self, name: str, seed: int, error: Exception) -> None:
        failure: dict[str, Any] = {
            "setup": name,
            "protocol": self.options.protocol,
            "seed": seed,
            "error": str(error),
            "details": getattr(error, "details", ""),
        }
        append_line(self.out / FAILURES, failure)


def _time_per_image_ns(training: Mapping[str, Any], images: int | None) -> float | None:
    seconds = training.get("time_per_epoch_s")
    return None if seconds is None or not images else seconds * 1e9 / images
