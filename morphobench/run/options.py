"""Options of a run: which setups are trained, on what, how, and how they are evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from morphobench._util.cpu import available_cores
from morphobench._util.options import Options, convert, group, option, option_fields
from morphobench._util.text import did_you_mean
from morphobench.errors import InputError
from morphobench.options import (
    BASELINE_NAMES,
    DEFAULT_BASELINES,
    DataOptions,
    EngineOptions,
    EvaluationOptions,
    ExecutionOptions,
    TrainingOptions,
)
from morphobench.recipes import RECIPES
from morphobench.run.device import choose_device
from morphobench.setups import (
    ALIASES,
    FURTHER_PARADIGMS,
    PARADIGMS,
    PRESETS,
    SETTINGS,
    SETUPS,
    Setup,
    Sweep,
    select,
)
from morphobench.types import DEFAULT_PROTOCOL, Protocol


@dataclass(frozen=True)
class SetupOptions(Options):
    """Options of every command that trains setups; made by ``resolve``."""

    setups: tuple[Setup, ...] = option(
        "PARADIGM/SETTING, with wildcards in quotes, separated by commas, such as 'byol/*,*/aug_multi_crop'. "
        f"Paradigms of the study: {', '.join(PARADIGMS)}; further ones, which '*' alone leaves out: "
        f"{', '.join(FURTHER_PARADIGMS)}; also understood: "
        f"{', '.join(f'{alias} for {name}' for alias, name in ALIASES.items())}. "
        f"Settings: {', '.join(SETTINGS)}",
        default=SETUPS,
        kind=tuple[str, ...],
        metavar="PATTERNS",
        default_text="the study's 16 setups",
    )
    protocol: Protocol = option(
        "rules of training and evaluation: corrected-1 does what the study describes, reference-1 what its "
        "published program computes",
        default=DEFAULT_PROTOCOL,
    )
    objectives: tuple[str, ...] = option(
        "your own paradigm, compared with the study's; may be given several times",
        default=(),
        flag="--objective",
        metavar="package.module:Class",
        separator=None,
    )
    encoders: tuple[str, ...] = option(
        "encoder that is trained: study, resnet18, vit_small, package.module:factory, or "
        "small:kind=K,depth=D,pool=P,channels=C, where * and + give several; may be given several times, to "
        "compare them",
        default=("study",),
        flag="--encoder",
        metavar="NAME",
        separator=None,
    )
    objective_settings: tuple[str, ...] = option(
        "a setting of one of the objectives that are trained, such as byol.ema_decay=0.97; may be given "
        "several times",
        default=(),
        flag="--objective-setting",
        metavar="PARADIGM.NAME=VALUE",
        default_text="those of its class",
        separator=None,
    )
    data: DataOptions = group(DataOptions)
    training: TrainingOptions = group(TrainingOptions)
    execution: ExecutionOptions = group(ExecutionOptions)

    @classmethod
    def resolve(cls, **given: Any) -> Self:
        """Make the options of what users gave.

        Args:
            **given: Values by field name, those of groups among them; None stands for the default, except
                for ``images`` and ``train_images``, where it stands for all.

        Returns:
            The options, with setups matched, encoders expanded, device and threads those of this machine.

        Raises:
            InputError: A value is not allowed, a pattern matches no setup, a module cannot be imported.
        """
        import torch

        from morphobench.models import encoder_names
        from morphobench.objectives import registry
        from morphobench.objectives.settings import checked_settings
        from morphobench.training.runtime.precision import require_precision

        values = _checked(cls, cls._with_defaults(_checked(cls, given)))
        paradigms = _paradigms(values.get("objectives", ()), registry.names())
        patterns = values.get("setups")
        if patterns is None and paradigms:
            patterns = [f"{name}/*" for name in (*PARADIGMS, *paradigms)]
        encoders = tuple(
            dict.fromkeys(name for text in values.get("encoders", ("study",)) for name in encoder_names(text))
        )
        values["encoders"] = encoders
        values["setups"] = _setups(patterns, encoders, (*registry.names(), *paradigms))
        own = _own(values.get("objectives", ()))
        trained = {setup.paradigm: own.get(setup.paradigm, setup.paradigm) for setup in values["setups"]}
        values["objective_settings"] = checked_settings(values.get("objective_settings", ()), trained)
        values["device"] = choose_device(values.get("device", "auto"))
        values["threads"] = values.get("threads") or available_cores()
        require_precision(values.get("precision", "float32"), torch.device(values["device"]))
        return cls.build(**values)

    def objective_of(self, setup: Setup) -> str:
        """Name that ``objectives.create`` takes for a setup's paradigm.

        Args:
            setup: One of these options' setups.

        Returns:
            The paradigm, or "package.module:Class" for one given by ``objectives``.
        """
        return _own(self.objectives).get(setup.paradigm, setup.paradigm)

    def settings_of(self, setup: Setup) -> dict[str, Any]:
        """Settings of a setup's objective that differ from its defaults.

        Args:
            setup: One of these options' setups.

        Returns:
            Values by name, for ``objectives.create``.
        """
        from morphobench.objectives.settings import parse_setting

        parsed = [parse_setting(text) for text in self.objective_settings]
        return {name: value for paradigm, name, value in parsed if paradigm == setup.paradigm}

    def encoder_of(self, setup: Setup) -> str:
        """Name of the encoder that a setup trains.

        Args:
            setup: One of these options' setups.

        Returns:
            The setup's own where several are compared, else the one of all setups.
        """
        return setup.encoder or self.encoders[0]


@dataclass(frozen=True)
class RunOptions(SetupOptions):
    """Everything that a run's results depend on; kept in ``OUT/run.json`` and ``OUT/config.toml``."""

    profile: str = option(
        "preset of images, epochs, seeds, batch size and hyper-parameter grids: smoke (minutes), quick "
        "(several minutes), paper (the whole study); other options override it",
        default="quick",
        choices=tuple(PRESETS),
    )
    recipe: str = option(
        "how setups are trained: a named set of training options, each of which can still be given. "
        + "; ".join(f"{recipe.name}: {recipe.description}" for recipe in RECIPES.values()),
        default="study",
        choices=tuple(RECIPES),
    )
    seeds: int = option(
        "repetitions, each with its own random seed", default=1, metavar="K", minimum=1, maximum=10_000
    )
    train_fraction: tuple[float, ...] = option(
        "for a learning curve: fractions of the training plates, such as 0.1,0.3,1. The largest is the run "
        "itself; each smaller one takes some of the next one's plates and is trained anew in OUT/curves",
        default=(1.0,),
        metavar="F",
        minimum=1e-6,
        maximum=1,
    )
    curve_epochs: tuple[int, ...] = option(
        "for a learning curve: further numbers of epochs, such as 2,8, each trained anew in OUT/curves",
        default=(),
        metavar="E",
        minimum=1,
        default_text="none",
    )
    baselines: tuple[str, ...] = option(
        f"features that need no training, to compare with: {', '.join(BASELINE_NAMES)}; cell_count and "
        "field_density need counts in the metadata, cp_measure needs pip install 'morphobench[classic]'",
        default=DEFAULT_BASELINES,
        metavar="NAMES",
        default_text="all but cp_measure",
        off="--no-baselines",
    )
    track: Literal["none", "tensorboard", "mlflow", "wandb"] = option(
        "show losses and speed of each epoch in TensorBoard, MLflow or Weights & Biases, in files under "
        "OUT/training",
        default="none",
        saved=False,
    )
    evaluation: EvaluationOptions = group(EvaluationOptions)
    engine: EngineOptions = group(EngineOptions)

    @classmethod
    def _with_defaults(cls, values: dict[str, Any]) -> dict[str, Any]:
        from morphobench.evaluation.api import TASKS
        from morphobench.evaluation.registry import default_tasks, task_name

        preset = PRESETS[values.get("profile", "quick")]
        values = {**preset.defaults(), **RECIPES[values.get("recipe", "study")].options, **values}
        given_tasks = values.get("tasks")
        for text in given_tasks or ():
            task_name(text, label="--task")
        values["tasks"] = default_tasks() if given_tasks is None else _ordered(given_tasks, tuple(TASKS))
        values["baselines"] = (
            DEFAULT_BASELINES
            if values.get("baselines") is None
            else _known("--baselines", values["baselines"], BASELINE_NAMES)
        )
        return values

    @classmethod
    def default_texts(cls) -> Mapping[str, str]:
        """Values of each preset, by the name of the option."""
        return {
            name: "from --profile: "
            + ", ".join(
                f"{preset.name} {'all' if (value := preset.defaults()[name]) is None else value}"
                for preset in PRESETS.values()
            )
            for name in ("images", "train_images", "epochs", "batch_size", "seeds")
        }

    @classmethod
    def from_description(cls, described: Mapping[str, Any]) -> Self:
        """Read what ``describe`` returned, of this or the last version; nothing is asked of this machine.

        Args:
            described: Values by name, as JSON types.

        Returns:
            The options.

        Raises:
            InputError: An option is unknown or has a value that is not allowed.
        """
        values = _checked(cls, upgraded(described))
        values["setups"] = tuple(Setup.parse(name) for name in values.get("setups", ()))
        return cls.build(**values)

    def notes(self) -> list[str]:
        """What a reader of the results must know: how this run does less than, or other than, the study."""
        paper, training, evaluation = PRESETS["paper"], self.training, self.evaluation
        profiles = (evaluation.aggregate, evaluation.normalize)
        facts = [
            (evaluation.pairs is not None, f"similarity of {len(evaluation.pairs or ())} chosen pairs"),
            (evaluation.balance_classes, "classifiers' loss weighted by class"),
            (
                profiles != ("median", "mad_robustize"),
                f"profiles: {profiles[0]} of images, normalized by {profiles[1]}",
            ),
            (evaluation.sweep != Sweep(), "thinned sweeps"),
            (len(self.encoders) > 1, f"{len(self.encoders)} encoders"),
            (
                len(self.encoders) == 1 and self.encoders != ("study",),
                f"encoder {self.encoders[0]}, not the study's",
            ),
            (training.epochs < paper.epochs, f"{training.epochs} of the study's {paper.epochs} epochs"),
            (
                training.images_per_step != paper.batch_size,
                f"batches of {training.images_per_step} images, not {paper.batch_size}",
            ),
            (self.recipe != "study", f"recipe {self.recipe}: {RECIPES[self.recipe].description}"),
            (training.precision != "float32", f"trained in {training.precision}, not float32"),
            (self.data.images is not None, f"at most {self.data.images} images"),
            (
                self.data.train_images is not None,
                f"learning from at most {self.data.train_images} images",
            ),
            (bool(self.objective_settings), f"settings {', '.join(self.objective_settings)}"),
            (
                max(self.train_fraction) < 1,
                f"learning from {max(self.train_fraction):.3g} of the training plates",
            ),
            (self.seeds == 1, "one seed"),
        ]
        return [text for holds, text in facts if holds]


def upgraded(described: Mapping[str, Any]) -> dict[str, Any]:
    """Bring options that an earlier version kept to the present names.

    Args:
        described: Options by name, as ``run.json`` keeps them.

    Returns:
        The same with the present names; options that did not exist then with what was done then.
    """
    found = {
        **{"balance_classes": False, "aggregate": "median", "normalize": "mad_robustize"},
        **{"split_by": "auto"},
        **{"objective_settings": [], **described},
    }
    if "encoder" in found:
        found["encoders"] = found.pop("encoder")
    if isinstance(found.get("objectives"), Mapping):
        found["objectives"] = list(found["objectives"].values())
    found.update(found.pop("sweep", {}))
    return found


def _checked(cls: type[Options], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values as their options' types; None, where it stands for the default, left out."""
    known = {one.name: one for one in option_fields(cls)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            meant = did_you_mean([name], [*known])
            raise InputError(f"options must be among {', '.join(sorted(known))}, got {name}{meant}")
        if name == "setups" and value is not None:
            value = [value] if isinstance(value, str) else [str(setup) for setup in value]
        if value is not None:
            values[name] = convert(known[name], value, label=known[name].label)
        elif name in ("images", "train_images"):
            values[name] = None
    return values


def _own(objectives: Iterable[str]) -> dict[str, str]:
    """Texts of --objective by the name of their paradigm."""
    from morphobench.objectives.registry import find

    return {str(find(text).name): text for text in objectives}


def _setups(
    patterns: Iterable[str] | None, encoders: Sequence[str], paradigms: Sequence[str]
) -> tuple[Setup, ...]:
    """The setups that patterns match, with each of several encoders; "pattern@encoder" with that one."""
    if len(encoders) == 1:
        return select(patterns, extra=paradigms)
    chosen = select(
        None if patterns is None else [pattern.partition("@")[0] for pattern in patterns], extra=paradigms
    )
    product = [replace(setup, encoder=name) for setup in chosen for name in encoders]
    if patterns is None:
        return tuple(product)
    reached = set()
    for pattern in patterns:
        name, _, encoder = pattern.partition("@")
        matched = select([name], extra=paradigms)
        reached |= {
            replace(setup, encoder=one) for setup in matched for one in encoders if encoder in ("", one)
        }
    return tuple(setup for setup in product if setup in reached)


def _ordered(names: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """Names once each: those that are known in their order, then others as given."""
    others = [name for name in dict.fromkeys(names) if name not in known]
    return (*(name for name in known if name in names), *others)


def _known(flag: str, names: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"{flag} must be of {', '.join(known)}, got {', '.join(unknown)}")
    return tuple(name for name in known if name in names)


def _paradigms(given: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    from morphobench.objectives import registry

    found: dict[str, str] = {}
    for text in given:
        name = str(registry.find(text).name) if ":" in text else text
        if ":" not in text or name in known or name in found:
            reason = f"another paradigm is named {name!r}" if ":" in text else "it names no class"
            raise InputError(
                f"--objective must be package.module:Class of a new paradigm, got {text!r}: {reason}"
            )
        found[name] = text
    return found
