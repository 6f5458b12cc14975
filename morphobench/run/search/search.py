"""A search of hyper-parameters through Optuna: trials of one setup, judged on the validation part."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from morphobench import types
from morphobench._util.extras import load_extra
from morphobench._util.files import open_regular, path_exists, write_whole
from morphobench._util.toml import toml_text
from morphobench.data import ImageStore, subset
from morphobench.errors import CheckError, InputError
from morphobench.objectives import create
from morphobench.objectives.settings import own_settings
from morphobench.run.data import SeedData, open_data, seed_data
from morphobench.run.engines import Finished, SlurmEngine, Work, make_engine
from morphobench.run.folder import BEST, ENGINE, FAILURES, SEARCH_JOURNAL, TRIALS, SetupFiles
from morphobench.run.job import training_job
from morphobench.run.lock import locked
from morphobench.run.prepare import prepare, require_own
from morphobench.run.progress import RunProgress
from morphobench.run.record import append_line
from morphobench.run.search.options import SearchOptions
from morphobench.run.search.space import Parameter, read_space
from morphobench.run.search.trial import STUDY, TrialPlan, open_storage

_PROBED = 2000
"""Most images of each part that the probe takes."""
_OF_BEST = (
    "profile",
    "setups",
    "protocol",
    "objectives",
    "encoders",
    "objective_settings",
    "data",
    "training",
)


@dataclass(frozen=True)
class TrialResult:
    """A trial that has ended.

    Attributes:
        number: Its number, from 0.
        state: "complete", "pruned" or "failed".
        value: What its last epoch measured; None where there was none.
        epochs: Epochs that it trained.
        values: Value of each parameter by its key.
    """

    number: int
    state: str
    value: float | None
    epochs: int
    values: Mapping[str, Any]


def search(
    store_path: types.Path,
    out: types.Path,
    *,
    options: SearchOptions,
    fresh: bool = False,
    quiet: bool = False,
) -> list[TrialResult]:
    """Try options of one setup, and write the best as a file that ``run --config`` takes.

    A search that was stopped or killed goes on with the same call: trials that were being trained continue
    from their checkpoints. Trials train on the train part and are judged on the validation part of seed 0;
    its test part is not looked at.

    Args:
        store_path: The store.
        out: Folder of the search.
        options: What is varied, and how.
        fresh: Whether to remove another search there first.
        quiet: Whether to show no progress.

    Returns:
        All trials that have ended, the best one first; pruned and failed ones last.

    Raises:
        InputError: Bad input, a folder made with other options, or Optuna is not installed.
        CheckError: At the end, where no trial was completed.
    """
    out = Path(out)
    require_own(out)
    load_extra("optuna", extra="search").logging.set_verbosity(30)  # warnings
    name = options.objective.partition("/")[0]
    settings = own_settings(name)
    space = read_space(options.space, settings)
    _require_settings(name, space, options.space)
    described = create(name, protocol=options.protocol).describe()
    plain = {
        "training": vars(options.training),
        "objective": {key: described.get(key, value) for key, value in settings.items()},
    }
    base = options.of_trial({})
    store, rows, data = open_data(store_path, base)
    parts = seed_data(store, rows, 0, base.data)
    _require_measurable(store, parts, options)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        content = {**data, "space": "; ".join(map(str, space))}
        prepare(out, options, content, store=store.path, fresh=fresh)
        work = _Search(store, out, options, space, parts, plain)
        work.all(quiet=quiet)
        results = work.results()
    if not any(one.state == "complete" for one in results) and not options.engine.dry_run:
        raise CheckError(f"no trial of {len(results)} was completed; {out / FAILURES} says why they failed")
    return results


class _Search:
    def __init__(
        self,
        store: ImageStore,
        out: Path,
        options: SearchOptions,
        space: tuple[Parameter, ...],
        parts: SeedData,
        plain: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.store, self.out, self.options, self.space, self.parts = store, out, options, space, parts
        self.optuna = load_extra("optuna", extra="search")
        journal = out / SEARCH_JOURNAL
        _drop_partial_line(journal)
        self.study = self.optuna.create_study(
            study_name=STUDY,
            storage=open_storage(journal),
            direction="maximize" if options.measure == "probe" else "minimize",
            load_if_exists=True,
        )
        self.distributions = {one.key: self._distribution(one) for one in space}
        defaults = {one.key: one.encode(plain[one.table][one.name]) for one in space}
        if not self.study.get_trials() and None not in defaults.values():
            self.study.enqueue_trial(defaults)  # what is searched for shall be better than these
        self.probed = {
            part: self._sample(parts.part(part)) if options.measure == "probe" else np.zeros(0, np.int64)
            for part in ("train", "validation")
        }

    def all(self, *, quiet: bool) -> None:
        """Do the trials that are left, as many at a time as the engine takes."""
        options = self.options.engine
        engine = make_engine(options, self.options.execution, folder=self.out / ENGINE)
        at_once = 1 if options.engine == "local" else options.parallel_jobs
        done = sum(trial.state.is_finished() for trial in self.study.get_trials())
        with RunProgress(self.options.trials, done=min(done, self.options.trials), quiet=quiet) as progress:
            if options.dry_run and isinstance(engine, SlurmEngine):
                progress.note(f"written and not submitted: {engine.write_script()}")
                return
            if done:
                progress.note(f"{done} trials were done before")
            while trials := self._next(at_once):
                jobs = {work.name: number for number, work in trials}
                for number, _ in trials if options.engine == "local" else ():
                    progress.begin(f"trial {number}")
                for finished in engine.run(
                    [work for _, work in trials], on_message=lambda _, told: progress.message(told)
                ):
                    number = jobs[finished.work.name]
                    if options.engine != "local":
                        progress.begin(f"trial {number}")
                    progress.end(self._tell(number, finished))
            self._write()

    def _next(self, at_once: int) -> list[tuple[int, Work]]:
        """The trials that come next: those that a stopped search left, then new ones."""
        trials = self.study.get_trials()
        left = self.options.trials - sum(trial.state.is_finished() for trial in trials)
        if left <= 0:
            return []
        waiting = []
        for trial in trials:
            if trial.state.name == "RUNNING" and len(trial.params) == len(self.space):
                waiting.append(trial)
            elif trial.state.name == "RUNNING":  # killed in the middle of drawing it
                self.study.tell(trial.number, state=self.optuna.trial.TrialState.FAIL)
                left -= 1
        while len(waiting) < min(at_once, left):
            number = len(self.study.get_trials())
            # a sampler of its own for each trial: a search that was stopped draws what it would have drawn
            seed = int(np.random.default_rng([self.options.search_seed, number]).integers(2**31))
            self.study.sampler = self.optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=self.options.startup_trials
            )
            asked = self.study.ask(self.distributions)
            waiting.append(next(trial for trial in self.study.get_trials() if trial.number == asked.number))
        return [(trial.number, self._work(trial)) for trial in waiting]

    def _work(self, trial: Any) -> Work:
        run = self.options.of_trial(self._values(trial))
        (setup,) = run.setups
        name = f"trial{trial.number:05d}"
        folder = SetupFiles.of(self.out, name, 0).folder
        job = training_job(setup, run, self.store, self.parts, seed=0, checkpoint_dir=folder)
        plan = TrialPlan(
            journal=self.out / SEARCH_JOURNAL,
            trial_id=trial._trial_id,
            measure=self.options.measure,
            train_rows=self.probed["train"],
            validation_rows=self.probed["validation"],
            startup_trials=self.options.startup_trials,
            warmup_epochs=self.options.warmup_epochs,
        )
        return Work(name, "morphobench.run.search.trial:run_trial", {"job": job, "plan": plan})

    def _tell(self, number: int, finished: Finished) -> str:
        """Note how a trial ended; what to show of it."""
        states = self.optuna.trial.TrialState
        ended = finished.value or {"state": "failed", "error": finished.error}
        if ended["state"] == "complete":
            self.study.tell(number, ended["value"])
            shown = f"{self.options.measure} {ended['value']:.4g}"
        elif ended["state"] == "pruned":
            self.study.tell(number, state=states.PRUNED)
            shown = "pruned"
        else:
            self.study.tell(number, state=states.FAIL)
            failure = {"trial": number, "error": ended["error"], "details": finished.details}
            append_line(self.out / FAILURES, failure)
            shown = f"failed ({ended['error']})"
        SetupFiles.of(self.out, finished.work.name, 0).drop_checkpoint()
        self._write()
        return shown

    def results(self) -> list[TrialResult]:
        """Trials that have ended, the best one first."""
        sign = -1 if self.options.measure == "probe" else 1
        names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        found = [
            TrialResult(
                number=trial.number,
                state=names[trial.state.name],
                value=trial.value,
                epochs=len(trial.intermediate_values),
                values={
                    f"{table}.{name}": value
                    for table, chosen in self._values(trial).items()
                    for name, value in chosen.items()
                },
            )
            for trial in self.study.get_trials()
            if trial.state.is_finished()
        ]
        order = list(names.values())
        return sorted(found, key=lambda one: (order.index(one.state), sign * (one.value or 0), one.number))

    def _write(self) -> None:
        results = self.results()
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["trial", "state", self.options.measure, "epochs", *(one.key for one in self.space)])
        for one in results:
            values = (one.values[parameter.key] for parameter in self.space)
            table.writerow([one.number, one.state, one.value, one.epochs, *values])
        write_whole(self.out / TRIALS, text.getvalue())
        if results and results[0].state == "complete":
            best = next(trial for trial in self.study.get_trials() if trial.number == results[0].number)
            tables = self.options.of_trial(self._values(best)).tables()
            lead = (
                f"# Trial {best.number} of a search: {self.options.measure} {best.value:.6g} on validation.\n"
            )
            write_whole(
                self.out / BEST, lead + toml_text({name: tables[name] for name in _OF_BEST if name in tables})
            )

    def _values(self, trial: Any) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for one in self.space:
            if one.key in trial.params:
                found.setdefault(one.table, {})[one.name] = one.decode(trial.params[one.key])
        return found

    def _sample(self, rows: types.Int64Array) -> types.Int64Array:
        chosen: types.Int64Array = rows[subset(self.store.metadata.iloc[rows], images=_PROBED, seed=0)]
        return chosen

    def _distribution(self, one: Parameter) -> Any:
        kinds = self.optuna.distributions
        if one.kind == "choice":
            return kinds.CategoricalDistribution(range(len(one.values)))
        kind = kinds.IntDistribution if one.kind == "int" else kinds.FloatDistribution
        return kind(one.low, one.high, log=one.log)


def _require_settings(name: str, space: tuple[Parameter, ...], path: Path) -> None:
    """Make the objective with both ends of every setting: what it refuses is found before training."""
    for one in space:
        if one.table == "objective":
            for value in one.ends:
                try:
                    create(name, **{one.name: value})
                except (InputError, TypeError) as error:
                    raise InputError(f"{path}: {one.key}: {error}") from error


def _require_measurable(store: ImageStore, parts: SeedData, options: SearchOptions) -> None:
    for part in ("train", "validation"):
        labels = store.labels[parts.part(part)]
        if not len(labels):
            raise InputError(f"the {part} part must have at least one image, got none")
        if options.measure == "probe" and len(np.unique(labels)) < 2:
            raise InputError(
                f"--measure must be loss where the {part} part lacks drugs or controls, got probe"
            )


def _drop_partial_line(journal: Path) -> None:
    """Cut off a line that a killed process did not finish: nothing could be read behind it."""
    if not path_exists(journal):
        return
    with open_regular(journal) as read:
        content = read.read()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        with journal.open("r+b") as file:
            file.truncate(len(whole))
