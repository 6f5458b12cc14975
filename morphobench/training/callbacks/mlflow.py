"""The record of each epoch in MLflow, by the extra ``tracking``."""

from __future__ import annotations

from morphobench._util.extras import load_extra
from morphobench.training.callbacks.base import Callback
from morphobench.training.callbacks.tensorboard import LOGGED_OPTIONS, scalars
from morphobench.training.results import EpochRecord
from morphobench.training.state import TrainingState

_TAG = "morphobench.training"


class MLflow(Callback):
    """Losses and speed of each epoch as metrics of one MLflow run, which a resumed training continues.

    Args:
        experiment: name of the experiment; made where it is new.
        tracking_uri: where MLflow keeps its data, such as ``"sqlite:///mlflow.db"``; None: where MLflow's
            own settings say.

    Raises:
        InputError: MLflow is not installed.
    """

    def __init__(self, experiment: str = "morphobench", *, tracking_uri: str | None = None) -> None:
        self._mlflow = load_extra("mlflow", extra="tracking")
        self._client = self._mlflow.MlflowClient(tracking_uri=tracking_uri)
        self._experiment = experiment
        self._run = ""

    def start(self, state: TrainingState) -> None:
        """Begin a run, or find the one that a resumed training began.

        Args:
            state: of the training.
        """
        found = self._client.get_experiment_by_name(self._experiment)
        experiment = found.experiment_id if found else self._client.create_experiment(self._experiment)
        identity = f"{state.setup}, seed {state.options.seed}, data {state.options.data_id}"
        same = self._client.search_runs([experiment], f"tags.`{_TAG}` = '{identity}'", max_results=1)
        if same and state.resumed_at_step:
            self._run = same[0].info.run_id
            return
        self._run = self._client.create_run(
            experiment, run_name=state.setup, tags={_TAG: identity}
        ).info.run_id
        for name, value in vars(state.options).items():
            if name in LOGGED_OPTIONS:
                self._client.log_param(self._run, name, value)

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:  # noqa: ARG002
        """Log the epoch.

        Args:
            state: not used.
            record: of the epoch.
        """
        for name, value in scalars(record).items():
            self._client.log_metric(self._run, name, value, step=record.epoch)

    def close(self, error: BaseException | None) -> None:
        """End the run: finished, or failed.

        Args:
            error: what ended training; None when it finished.
        """
        if self._run:
            self._client.set_terminated(self._run, status="FINISHED" if error is None else "FAILED")
