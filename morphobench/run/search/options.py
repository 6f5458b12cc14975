"""Options of a search of hyper-parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from morphobench._util.options import Options, group, option, own_option_fields
from morphobench.errors import InputError
from morphobench.options import DataOptions, DeviceOptions, EngineOptions, TrainingOptions
from morphobench.run.options import RunOptions
from morphobench.setups import PRESETS, SETTINGS
from morphobench.types import DEFAULT_PROTOCOL, Protocol

DEFAULT_SETTING = "aug_one_crop"
_OF_PRESET = ("images", "train_images", "epochs", "batch_size")


@dataclass(frozen=True)
class SearchOptions(Options):
    """What is searched, how, and on which images; made by ``resolve``."""

    objective: str = option(
        "what is trained: a paradigm or your own package.module:Class, and its setting "
        f"({', '.join(SETTINGS)}; without one: {DEFAULT_SETTING})",
        metavar="NAME[/SETTING]",
    )
    space: Path = option(
        "options that are varied and their values: tables [training] and [objective]",
        metavar="FILE.toml",
        saved=False,  # its content is kept
    )
    trials: int = option(
        "trials in all, including those of earlier calls",
        metavar="K",
        minimum=1,
        maximum=100_000,
        saved=False,
    )
    measure: Literal["probe", "loss"] = option(
        "what is maximized or minimized on the validation part, which alone is looked at. probe: balanced "
        "accuracy of a linear probe, drugs against controls; loss: the objective's own, comparable only "
        "where the space does not change it",
        default="probe",
    )
    startup_trials: int = option(
        "first trials: drawn at random and never stopped early; later ones learn from them",
        default=5,
        metavar="K",
        minimum=1,
        maximum=100_000,
    )
    warmup_epochs: int = option(
        "epochs of a trial before it can be pruned", default=1, metavar="E", minimum=1, maximum=100_000
    )
    search_seed: int = option("random seed of the search", default=0, metavar="S", minimum=0)
    profile: str = option(
        "preset of images, epochs and batch size; other options override it",
        default="quick",
        choices=tuple(PRESETS),
    )
    protocol: Protocol = option("rules of training", default=DEFAULT_PROTOCOL)
    trained_encoder: str = option(
        "encoder that is trained; names are those of `run`", default="study", flag="--encoder", metavar="NAME"
    )
    data: DataOptions = group(DataOptions)
    training: TrainingOptions = group(TrainingOptions)
    execution: DeviceOptions = group(DeviceOptions)
    engine: EngineOptions = group(EngineOptions)

    @classmethod
    def _with_defaults(cls, values: dict[str, Any]) -> dict[str, Any]:
        preset = PRESETS[values.get("profile", "quick")].defaults()
        values = {**{name: preset[name] for name in _OF_PRESET}, **values}
        execution = cls._resolved(values).of_trial({}).execution  # of this machine
        return {**values, "device": execution.device, "threads": execution.threads}

    def of_trial(self, values: Mapping[str, Mapping[str, Any]]) -> RunOptions:
        """Make the options of a run that trains with some values.

        Args:
            values: Values by table of the space and name.

        Returns:
            Options of a run with one setup; what the search has no option for is as of the preset.

        Raises:
            InputError: A value is not allowed.
        """
        from morphobench.objectives.registry import find
        from morphobench.objectives.settings import setting_text

        name, _, setting = self.objective.partition("/")
        own = [name] if ":" in name else []
        paradigm = str(find(name).name)
        training = {one.name: getattr(self.training, one.name) for one in own_option_fields(TrainingOptions)}
        options = RunOptions.resolve(
            profile=self.profile,
            setups=[f"{paradigm}/{setting or DEFAULT_SETTING}"],
            objectives=own,
            encoders=[self.trained_encoder],
            protocol=self.protocol,
            objective_settings=[
                setting_text(paradigm, one, value) for one, value in values.get("objective", {}).items()
            ],
            images=self.data.images,
            train_images=self.data.train_images,
            split_by=self.data.split_by,
            device=self.execution.device,
            threads=self.execution.threads,
            **{**training, **values.get("training", {})},
        )
        if len(options.setups) != 1:
            raise InputError(f"--objective must be one paradigm and setting, got {self.objective!r}")
        return options

    @classmethod
    def default_texts(cls) -> Mapping[str, str]:
        """Values of each preset, by the name of the option."""
        return {name: text for name, text in RunOptions.default_texts().items() if name in _OF_PRESET}
