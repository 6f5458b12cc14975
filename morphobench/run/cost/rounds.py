"""What training costs: every setup in rounds that take turns, to convergence or a cap; resumable.

Each setup has a living process of its own. Before the rounds all steps are timed in turns (``timing``). A
round then trains each setup for some epochs more, one process at a time, in an order that turns around every
round: epochs stand side by side under the same load, and add up to one whole training of each setup.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from morphobench import types
from morphobench._util.json import plain
from morphobench.data import ImageStore
from morphobench.errors import InputError
from morphobench.measure import IsolatedError, Remote, RoundPlan, median, readings
from morphobench.options import EngineOptions
from morphobench.run.cost.options import CostOptions
from morphobench.run.cost.timing import timed_once
from morphobench.run.data import SeedData, open_data, seed_data
from morphobench.run.engines import SlurmEngine, Work, make_engine
from morphobench.run.environment import environment
from morphobench.run.folder import COSTS, ENGINE, SetupFiles, timing_file
from morphobench.run.job import Job, training_job
from morphobench.run.lock import locked
from morphobench.run.prepare import prepare, require_own
from morphobench.run.progress import RunProgress
from morphobench.run.record import append_line, read_lines
from morphobench.run.worker import make_objective, train_measured, use_threads
from morphobench.setups import Setup
from morphobench.training import Callback, Plateau, TrainingState


def measure_cost(
    store_path: types.Path,
    out: types.Path,
    *,
    options: CostOptions,
    budget_s: float | None = None,
    fresh: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Measure what training costs; what the folder holds is not measured again.

    On a cluster all of it is one job, so that every setup meets the same machine.

    Args:
        store_path: The store.
        out: Folder of the results.
        options: Which setups, and until when.
        budget_s: Once so many seconds were spent, counted over interruptions, nothing further starts after
            the first ``options.rounds`` rounds; None: no limit.
        fresh: Whether to remove the results of other options there first.
        quiet: Whether to show no progress.

    Returns:
        ``{"options", "data", "environment", "timing", "records"}`` in plain JSON types: timing of steps by
        setup, records by round. Empty where only the script of a job was written.

    Raises:
        InputError: Bad input, or a folder of results made with other options.
        IsolatedError: The job failed on the cluster.
    """
    out = Path(out)
    require_own(out)
    store, rows, data = open_data(store_path, options)
    parts = seed_data(store, rows, 0, options.data)
    counts = {name: len(parts.part(name)) for name in ("train", "validation")}
    if not counts["validation"]:
        raise InputError("the validation part must have at least one image to see convergence, got none")
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        content = {"options": options.describe(), "data": {**data, **counts}}
        prepare(out, options, content["data"], store=store.path, fresh=fresh)
        if options.engine.engine == "local":
            jobs = _jobs(store, out, options, parts)
            return _measured_here(out, options, jobs, content, budget_s=budget_s, quiet=quiet)
    return _measured_elsewhere(store.path.resolve(), out.resolve(), options, budget_s=budget_s, quiet=quiet)


def _measured_here(
    out: Path,
    options: CostOptions,
    jobs: Mapping[str, Job],
    content: Mapping[str, Any],
    *,
    budget_s: float | None,
    quiet: bool,
) -> dict[str, Any]:
    """What `measure_cost` returns; what was measured before is read from the folder."""
    made_on = environment(device=options.execution.device, threads=options.execution.threads)
    records = [line for _, line in read_lines(out / COSTS)] if (out / COSTS).exists() else []
    timing = _timing(out, options, jobs)
    for record in _measured(options, jobs, records, budget_s=budget_s, quiet=quiet):
        line = {**record, "environment": made_on}
        append_line(out / COSTS, line)
        records.append(line)
    return dict(plain({**content, "environment": made_on, "timing": timing, "records": records}))


def _measured_elsewhere(
    store: Path, out: Path, options: CostOptions, *, budget_s: float | None, quiet: bool
) -> dict[str, Any]:
    """What `measure_cost` returns, from one job of the engine that the options name."""
    engine = make_engine(options.engine, options.execution, folder=out / ENGINE)
    there = replace(options, engine=EngineOptions())
    arguments = {"store_path": store, "out": out, "options": there, "budget_s": budget_s, "quiet": True}
    with RunProgress(1, quiet=quiet) as progress:
        if options.engine.dry_run and isinstance(engine, SlurmEngine):
            progress.note(f"written and not submitted: {engine.write_script()}")
            return {}
        progress.begin("all setups, in one job")
        work = Work("cost", f"{__name__}:{measure_cost.__name__}", arguments)
        (finished,) = engine.run([work], on_message=lambda _, message: progress.note(str(message["stage"])))
        progress.end()
    if finished.error is not None:
        raise IsolatedError(finished.error, details=finished.details)
    return dict(finished.value)


def rounds_left(options: CostOptions, records: Sequence[Mapping[str, Any]], number: int) -> list[Setup]:
    """Choose the setups that take part in a round, by what the rounds before it found.

    Args:
        options: Options of the measurement.
        records: Records of earlier rounds.
        number: Number of the round, from 0.

    Returns:
        All setups in the first ``options.rounds``; then those below the cap that have not converged.
    """
    if number < options.rounds:
        return list(options.setups)
    losses = validation_losses(record for record in records if record["round"] < number)
    plateau = Plateau(options.improvement, options.patience)
    return [
        setup
        for setup in options.setups
        if len(losses[str(setup)]) < options.training.epochs and plateau.epoch(losses[str(setup)]) is None
    ]


def validation_losses(records: Any) -> dict[str, list[float]]:
    """Collect the validation losses of every epoch.

    Args:
        records: Records in any order.

    Returns:
        Losses by setup, in the order of epochs.
    """
    found: dict[str, list[float]] = {}
    for record in sorted(records, key=lambda one: int(one["round"])):
        found.setdefault(record["setup"], []).extend(
            epoch["validation"]["loss"] for epoch in record["epochs"]
        )
    return found


def _measured(
    options: CostOptions,
    jobs: Mapping[str, Job],
    records: Sequence[Mapping[str, Any]],
    *,
    budget_s: float | None,
    quiet: bool,
) -> Iterator[dict[str, Any]]:
    """The records that ``records`` lacks, in order; the caller adds each to ``records``."""
    with ExitStack() as stack:
        living: dict[str, Remote] = {}
        for number in count():
            setups = rounds_left(options, records, number)
            if not setups:
                return
            done = {record["setup"] for record in records if record["round"] == number}
            with RunProgress(len(setups), done=len(done), quiet=quiet) as progress:
                # one round forwards, the next one backwards: a drift of the machine favours none
                for name in map(str, setups if number % 2 == 0 else setups[::-1]):
                    if name in done:
                        continue
                    spent_s = sum(record["wall_s"] for record in records)
                    if budget_s is not None and number >= options.rounds and spent_s >= budget_s:
                        progress.note(
                            f"{spent_s:.0f} s were spent, {budget_s:.0f} allowed: no further rounds"
                        )
                        return
                    progress.begin(f"round {number + 1}, {name}")
                    if name not in living:
                        target = f"{__name__}:SetupRounds"
                        living[name] = stack.enter_context(Remote(target, {"job": jobs[name]}))
                    load, started = readings()["load_average"], time.perf_counter()
                    record = living[name].call("train", epochs=options.epochs_per_round, number=number)
                    progress.end()
                    yield {**record, "wall_s": time.perf_counter() - started, "load_average": load}


def _jobs(store: ImageStore, out: Path, options: CostOptions, parts: SeedData) -> dict[str, Job]:
    return {
        str(setup): training_job(
            setup, options, store, parts, seed=0, checkpoint_dir=SetupFiles.of(out, str(setup), 0).folder
        )
        for setup in options.setups
    }


def _timing(out: Path, options: CostOptions, jobs: Mapping[str, Job]) -> dict[str, Any]:
    """By setup what is known of its step, timed in turns; nothing with ``--timing-s 0``."""
    budget_s = options.execution.timing_s
    if not budget_s:
        return {}
    return timed_once(timing_file(out, 0), jobs, RoundPlan(rounds=8, budget_s=budget_s))


class _StepTimes(Callback):
    """The times of the steps that this process takes, apart from those that the checkpoint knows."""

    def start(self, state: TrainingState) -> None:
        self._state, self._before, self._step = state, len(state.timer.times_ns), state.step

    @property
    def trained(self) -> bool:
        """Whether this process took a step; not where one killed before had taken them all."""
        return self._state.step > self._step

    def time_per_view_ns(self) -> float | None:
        """Their median over the images of a batch; None where there is none to tell."""
        own = self._state.timer.read()[self._before :] if self.trained else []
        return median(own) / self._state.images_per_batch if own else None


class SetupRounds:
    """A setup in a living process of its own, trained for some epochs at a time.

    Args:
        job: The setup, with the folder of its checkpoint.
    """

    def __init__(self, *, job: Job) -> None:
        use_threads(job.training)
        self._job, self._store = job, ImageStore.open(job.store)

    def train(self, *, epochs: int, number: int) -> dict[str, Any]:
        """Train for some epochs more, from the checkpoint of the round before.

        Args:
            epochs: Epochs of a round.
            number: Number of the round, from 0.

        Returns:
            The record of the round. Where an earlier process was killed after its last step, time per step
            and memory are unknown (None).
        """
        steps, first = _StepTimes(), number * epochs
        training = replace(self._job.training, pause_after_epoch=first + epochs)
        job = replace(self._job, training=training)
        objective = make_objective(job, self._store)
        result, memory = train_measured(objective, job, self._store, callbacks=[steps])
        return {
            "setup": str(job.setup),
            "protocol": job.protocol,
            "seed": training.seed,
            "round": number,
            "epochs": [record.describe() for record in result.history[first : first + epochs]],
            "time_per_view_ns": steps.time_per_view_ns(),
            **{name: value if steps.trained else None for name, value in memory.items()},
        }
