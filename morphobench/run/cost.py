"""What training costs: every setup in rounds that take turns, to convergence or a cap; resumable.

A round trains each setup for some epochs more in a process of its own, from the checkpoint of the round
before. So the setups' times stand side by side under the same load of the machine, and the epochs add up
to one whole training of each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from morphobench import types
from morphobench._util.json import plain
from morphobench.data import ImageStore
from morphobench.errors import InputError
from morphobench.measure import median, run_isolated
from morphobench.run.environment import environment
from morphobench.run.folder import COSTS, SetupFiles
from morphobench.run.options import RunOptions, prepare
from morphobench.run.progress import RunProgress
from morphobench.run.record import append_line, read_lines
from morphobench.run.runner import SeedData, locked, open_data, seed_data
from morphobench.run.worker import Job, make_objective, train_measured
from morphobench.setups import Setup
from morphobench.training import Callback, Plateau, TrainingState


@dataclass(frozen=True)
class CostOptions:
    """What is measured and until when.

    ``run``: setups, data, batch size, device; its ``epochs`` are the cap. All setups take part in ``rounds``
    rounds of ``epochs_per_round`` epochs; those whose validation loss has not converged by ``plateau`` go on.
    """

    run: RunOptions
    rounds: int = 5
    epochs_per_round: int = 1
    plateau: Plateau = field(default_factory=Plateau)

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.epochs_per_round < 1:
            raise InputError(
                "--rounds, --epochs-per-round: at least 1 wanted, "
                f"got {self.rounds} and {self.epochs_per_round}"
            )
        if self.run.epochs < self.rounds * self.epochs_per_round:
            raise InputError(
                f"--epochs: at least {self.rounds} rounds x {self.epochs_per_round} wanted, "
                f"got {self.run.epochs}"
            )

    def describe(self) -> dict[str, Any]:
        """Every option, as plain JSON types."""
        own = {"rounds": self.rounds, "epochs_per_round": self.epochs_per_round}
        return {**self.run.describe(), **own, **vars(self.plateau)}


def measure_cost(
    store_path: types.Path,
    out: types.Path,
    *,
    options: CostOptions,
    budget_s: float | None = None,
    fresh: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Measure; ``{"options", "data", "environment", "records"}``, plain JSON types, records by round.

    ``budget_s``: once so many seconds were spent, counted over interruptions, nothing further starts after
    the first ``options.rounds`` rounds. What ``out`` holds is not measured again. InputError for bad input
    and for an ``out`` made with other options, unless ``fresh``.
    """
    out = Path(out)
    store, rows, data = open_data(store_path, options.run)
    parts = seed_data(store, rows, 0, options.run.train_images)
    counts = {name: len(parts.part(name)) for name in ("train", "validation")}
    if not counts["validation"]:
        raise InputError("validation: at least one image wanted to see convergence, got none")
    made_on = environment(device=options.run.device, threads=options.run.threads)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        content = {"options": options.describe(), "data": {**data, **counts}}
        prepare(out, content, fresh=fresh)
        records = [line for _, line in read_lines(out / COSTS)] if (out / COSTS).exists() else []
        for record in _measured(store, out, options, parts, records, budget_s=budget_s, quiet=quiet):
            line = {**record, "environment": made_on}
            append_line(out / COSTS, line)
            records.append(line)
    return dict(plain({**content, "environment": made_on, "records": records}))


def rounds_left(options: CostOptions, records: Sequence[Mapping[str, Any]], number: int) -> list[Setup]:
    """The setups that take part in round ``number`` (from 0), by what the rounds before it found.

    All in the first ``options.rounds``; then those below the cap that have not converged.
    """
    if number < options.rounds:
        return list(options.run.setups)
    losses = validation_losses(record for record in records if record["round"] < number)
    return [
        setup
        for setup in options.run.setups
        if len(losses[str(setup)]) < options.run.epochs and options.plateau.epoch(losses[str(setup)]) is None
    ]


def validation_losses(records: Any) -> dict[str, list[float]]:
    """By setup the validation loss of every epoch in ``records``, which are in the order of their rounds."""
    found: dict[str, list[float]] = {}
    for record in sorted(records, key=lambda one: int(one["round"])):
        found.setdefault(record["setup"], []).extend(
            epoch["validation"]["loss"] for epoch in record["epochs"]
        )
    return found


def _measured(
    store: ImageStore,
    out: Path,
    options: CostOptions,
    parts: SeedData,
    records: Sequence[Mapping[str, Any]],
    *,
    budget_s: float | None,
    quiet: bool,
) -> Iterator[dict[str, Any]]:
    """The records that ``records`` lacks, in order; the caller adds each to ``records``."""
    for number in count():
        setups = rounds_left(options, records, number)
        if not setups:
            return
        done = {record["setup"] for record in records if record["round"] == number}
        with RunProgress(len(setups), done=len(done), quiet=quiet) as progress:
            # one round forwards, the next one backwards: a drift of the machine favours none
            for setup in setups if number % 2 == 0 else setups[::-1]:
                if str(setup) in done:
                    continue
                spent_s = sum(record["wall_s"] for record in records)
                if budget_s is not None and number >= options.rounds and spent_s >= budget_s:
                    progress.note(f"{spent_s:.0f} s were spent, {budget_s:.0f} allowed: no further rounds")
                    return
                progress.begin(f"round {number + 1}, {setup}")
                work = {
                    "job": _job(setup, store, out, options, parts),
                    "epochs": options.epochs_per_round,
                    "number": number,
                }
                load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
                result = run_isolated(f"{__name__}:train_round", work, on_message=progress.message)
                progress.end()
                yield {**result.value, "wall_s": result.wall_s, "load_average": load}


def _job(setup: Setup, store: ImageStore, out: Path, options: CostOptions, parts: SeedData) -> Job:
    run = options.run
    return Job(
        store=store.path,
        setup=setup,
        objective=run.objectives.get(setup.paradigm, setup.paradigm),
        encoder=setup.encoder or run.encoder[0],
        protocol=run.protocol,
        seed=0,
        epochs=run.epochs,
        batch_size=run.batch_size,
        accumulate=run.accumulate,
        precision=run.precision,
        device=run.device,
        threads=run.threads,
        rows=np.empty(0, dtype=np.int64),
        train_rows=parts.part("train"),
        validation_rows=parts.part("validation"),
        metadata=pd.DataFrame(),
        files=SetupFiles.of(out, str(setup), 0),
        provenance={"data_sha256": store.manifest["content_sha256"]},
    )


class _StepTimes(Callback):
    """The times of the steps that this process takes, apart from those that the checkpoint knows."""

    def start(self, state: TrainingState) -> None:
        self._state, self._before, self._step = state, len(state.clock.times_ns), state.step

    @property
    def trained(self) -> bool:
        """Whether this process took a step; not where one killed before had taken them all."""
        return self._state.step > self._step

    def time_per_view_ns(self) -> float | None:
        """Their median over the images of a batch; None where there is none to tell."""
        own = self._state.clock.read()[self._before :] if self.trained else []
        return median(own) / self._state.images_per_batch if own else None


def train_round(*, job: Job, epochs: int, number: int) -> dict[str, Any]:
    """In a process of its own: train ``job``'s setup for ``epochs`` more; the record of round ``number``.

    Where an earlier process was killed after its last step, time per step and memory are unknown (None).
    """
    import torch

    torch.set_num_threads(job.threads)
    store = ImageStore.open(job.store)
    steps = _StepTimes()
    first = number * epochs
    result, memory = train_measured(
        make_objective(job, store), job, store, callbacks=[steps], pause_after_epoch=first + epochs
    )
    return {
        "setup": str(job.setup),
        "protocol": job.protocol,
        "seed": job.seed,
        "round": number,
        "epochs": [record.describe() for record in result.history[first : first + epochs]],
        "time_per_view_ns": steps.time_per_view_ns(),
        **{name: value if steps.trained else None for name, value in memory.items()},
    }
