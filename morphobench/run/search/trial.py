"""One trial of a search, in a process of its own: it trains, tells each epoch's result, and may be pruned.

The result goes straight into the journal of the search, which any engine's process can reach, and whether to
prune is decided from there. So trials on a cluster are pruned as those of this machine are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from morphobench._util.extras import load_extra
from morphobench.data import ImageStore
from morphobench.embeddings import embed
from morphobench.errors import MorphobenchError
from morphobench.evaluation.retrieval.linear_probe import linear_probe
from morphobench.measure import report
from morphobench.run.job import Job
from morphobench.run.worker import make_objective, train_measured, use_threads
from morphobench.training import Callback, EpochRecord, ImageRows, TrainingState
from morphobench.types import Int64Array

STUDY = "search"


@dataclass(frozen=True)
class TrialPlan:
    """What a trial needs besides its job.

    Attributes:
        journal: File of the search's journal.
        trial_id: Number by which the journal knows the trial.
        measure: What is told after each epoch; see ``SearchOptions.measure``.
        train_rows: Rows of the store that the probe is fitted on, int64.
        validation_rows: Rows of the validation part that the probe is judged by, int64.
        startup_trials: Trials before any is pruned.
        warmup_epochs: Epochs before this one can be pruned.
    """

    journal: Path
    trial_id: int
    measure: Literal["probe", "loss"]
    train_rows: Int64Array
    validation_rows: Int64Array
    startup_trials: int
    warmup_epochs: int


class _PrunedError(Exception):
    """Ends a training whose result is worse than the median of the others at the same epoch."""


def open_storage(journal: Path) -> Any:
    """Open the journal of a search; it is made where it does not exist.

    Args:
        journal: The file.

    Returns:
        Optuna's storage, a log that every process appends to under a lock.

    Raises:
        InputError: Optuna is not installed.
    """
    backend = load_extra("optuna.storages.journal", extra="search").JournalFileBackend(str(journal))
    return load_extra("optuna.storages", extra="search").JournalStorage(backend)


def run_trial(*, job: Job, plan: TrialPlan) -> dict[str, Any]:
    """Train as a trial says; one that was killed goes on from its checkpoint.

    Args:
        job: What is trained.
        plan: Where its results go, and when it may be pruned.

    Returns:
        ``state``: "complete" with the last epoch's ``value``, "pruned", or "failed" with the ``error``.
    """
    use_threads(job.training)
    store = ImageStore.open(job.store)
    try:
        objective = make_objective(job, store)
        told = _Tell(plan, store, objective.encoder, job.training.device)
        train_measured(objective, job, store, callbacks=[told])
    except _PrunedError:
        return {"state": "pruned"}
    except MorphobenchError as error:
        return {"state": "failed", "error": str(error)}
    values = told.values()
    return {"state": "complete", "value": values[max(values)]}


class _Tell(Callback):
    """Puts the result of each epoch into the journal."""

    def __init__(self, plan: TrialPlan, store: ImageStore, encoder: Any, device: str) -> None:
        optuna = load_extra("optuna", extra="search")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._plan, self._store, self._encoder, self._device = plan, store, encoder, device
        self._storage = open_storage(plan.journal)
        self._pruner = optuna.pruners.MedianPruner(plan.startup_trials, plan.warmup_epochs)
        self._study = optuna.load_study(study_name=STUDY, storage=self._storage, pruner=self._pruner)

    def values(self) -> dict[int, float]:
        """Results by epoch, those told before a kill among them."""
        found: dict[int, float] = self._storage.get_trial(self._plan.trial_id).intermediate_values
        return found

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        if record.epoch not in self.values():
            value = self._probe() if self._plan.measure == "probe" else (record.validation or {})["loss"]
            self._storage.set_trial_intermediate_value(self._plan.trial_id, record.epoch, value)
        value = self.values()[record.epoch]
        report({"stage": f"epoch {record.epoch}, {self._plan.measure} {value:.4g}"})
        trial = self._storage.get_trial(self._plan.trial_id)
        if record.epoch < state.options.epochs and self._pruner.prune(self._study, trial):
            raise _PrunedError

    def _probe(self) -> float:
        plan = self._plan
        rows = np.concatenate([plan.train_rows, plan.validation_rows])
        features = embed(self._encoder, ImageRows(self._store.images, rows), device=self._device)
        train = np.arange(len(rows)) < len(plan.train_rows)
        found = linear_probe(
            features,
            self._store.labels[rows],
            train=train,
            validation=np.zeros(len(rows), bool),  # its middle strength: nothing is chosen
            test=~train,
        )
        return found.balanced_accuracy
