"""What a run was asked to do, and the refusal to mix two askings in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from morphobench._util.cpu import available_cores
from morphobench._util.json import plain, read_json, write_json
from morphobench.errors import InputError
from morphobench.run.folder import LOCK, OPTIONS, remove_own
from morphobench.setups import PARADIGMS, PROFILES, Setup, Sweep, select
from morphobench.types import (
    DEFAULT_PROTOCOL,
    PROTOCOLS,
    Aggregate,
    Float32Array,
    Normalization,
    Precision,
    Protocol,
)

if TYPE_CHECKING:
    import pandas as pd

    from morphobench.evaluation import EvaluationInput

_FIRST = {"balance_classes": False, "aggregate": "median", "normalize": "mad_robustize"}
"""What runs did before these were options, and so did not keep."""


@dataclass(frozen=True)
class RunOptions:
    """Everything that a run's results depend on; made by ``resolve``, kept in ``OUT/run.json``.

    ``images`` is None for all of the store, ``train_images`` for all of the train part. ``objectives``:
    "package.module:Class" by paradigm, for those that are neither the study's nor installed.
    """

    setups: tuple[Setup, ...]
    profile: str
    protocol: Protocol
    seeds: int
    epochs: int
    images: int | None
    train_images: int | None
    batch_size: int
    sweep: Sweep
    tasks: tuple[str, ...]
    baselines: tuple[str, ...]
    objectives: Mapping[str, str]
    encoder: tuple[str, ...]
    accumulate: int
    precision: Precision
    device: str
    threads: int
    pairs: tuple[tuple[str, str], ...] | None = None
    balance_classes: bool = False
    aggregate: Aggregate = "median"
    normalize: Normalization = "mad_robustize"

    @classmethod
    def resolve(
        cls,
        *,
        setups: Sequence[str] | None = None,
        profile: str = "quick",
        protocol: Protocol = DEFAULT_PROTOCOL,
        seeds: int | None = None,
        epochs: int | None = None,
        images: int | None = None,
        train_images: int | None = None,
        batch_size: int | None = None,
        tasks: Sequence[str] | None = None,
        baselines: Sequence[str] | None = None,
        objectives: Sequence[str] = (),
        encoder: str | Sequence[str] = "study",
        accumulate: int = 1,
        precision: Precision = "float32",
        device: str = "auto",
        threads: int | None = None,
        pairs: Sequence[tuple[str, str]] | None = None,
        balance_classes: bool = False,
        aggregate: Aggregate = "median",
        normalize: Normalization = "mad_robustize",
    ) -> RunOptions:
        """The options with the profile's numbers where none are given; InputError names a bad one.

        ``objectives``: further paradigms, "package.module:Class"; with no ``setups`` chosen, those of the
        study and these are. ``encoder``: one, or several to compare; each setup is then done with each, as
        "paradigm/setting@encoder".
        """
        import torch

        from morphobench.evaluation.api import TASKS
        from morphobench.objectives import registry
        from morphobench.run.baselines import BASELINES
        from morphobench.training.runtime.precision import require_precision

        if profile not in PROFILES:
            raise InputError(f"--profile: one of {', '.join(PROFILES)} wanted, got {profile!r}")
        if protocol not in PROTOCOLS:
            raise InputError(f"--protocol: one of {', '.join(PROTOCOLS)} wanted, got {protocol!r}")
        numbers = {
            "seeds": seeds,
            "epochs": epochs,
            "images": images,
            "train-images": train_images,
            "batch-size": batch_size,
            "accumulate": accumulate,
            "threads": threads,
        }
        for name, number in numbers.items():
            if number is not None and number < 1:
                raise InputError(f"--{name}: at least 1 wanted, got {number}")
        base = PROFILES[profile]
        further = _objectives(objectives, registry.names())
        known = (*registry.names(), *further)
        if setups is None and further:
            setups = [f"{name}/*" for name in (*PARADIGMS, *further)]
        encoders = _encoders((encoder,) if isinstance(encoder, str) else encoder)
        chosen = select(setups, extra=known)
        if len(encoders) > 1:
            chosen = tuple(replace(setup, encoder=name) for setup in chosen for name in encoders)
        device = _device(device)
        require_precision(precision, torch.device(device))
        return cls(
            setups=chosen,
            profile=profile,
            protocol=protocol,
            seeds=base.seeds if seeds is None else seeds,
            epochs=base.epochs if epochs is None else epochs,
            images=base.images if images is None else images,
            train_images=base.train_images if train_images is None else train_images,
            batch_size=base.batch_size if batch_size is None else batch_size,
            sweep=base.sweep,
            tasks=_chosen("--task", tasks, tuple(TASKS)),
            baselines=_chosen("--baselines", baselines, tuple(BASELINES)),
            objectives=further,
            encoder=encoders,
            accumulate=accumulate,
            precision=precision,
            device=device,
            threads=available_cores() if threads is None else threads,
            pairs=None if pairs is None else tuple(pairs),
            balance_classes=balance_classes,
            aggregate=aggregate,
            normalize=normalize,
        )

    @classmethod
    def read(cls, out: Path) -> RunOptions:
        """The options of the run in ``out``, as its run.json keeps them; InputError where it has none."""
        content = read_json(out / OPTIONS)
        kept = dict(content["options"]) if isinstance(content, dict) and "options" in content else {}
        try:
            kept["setups"] = tuple(Setup.parse(name) for name in kept["setups"])
            kept["sweep"] = Sweep(**{name: _frozen(value) for name, value in kept["sweep"].items()})
            return cls(**{name: _frozen(value) for name, value in kept.items()})
        except (KeyError, TypeError) as error:
            raise InputError(f"{out / OPTIONS}: the options of a run wanted, got others ({error})") from error

    def evaluation(self, embeddings: Float32Array, metadata: pd.DataFrame, seed: int) -> EvaluationInput:
        """The embeddings (N, D) of images with ``metadata``, to be evaluated as this run does."""
        from morphobench.evaluation import EvaluationInput

        return EvaluationInput(
            embeddings=embeddings,
            metadata=metadata,
            protocol=self.protocol,
            seed=seed,
            sweep=self.sweep,
            pairs=self.pairs,
            balance_classes=self.balance_classes,
            aggregate=self.aggregate,
            normalize=self.normalize,
            device=self.device,
        )

    def describe(self) -> dict[str, Any]:
        """Every option, as plain JSON types."""
        own = {**vars(self), "setups": [str(setup) for setup in self.setups], "sweep": vars(self.sweep)}
        return dict(plain(own))

    def notes(self) -> list[str]:
        """What a reader of the results must know: how this run does less than the study."""
        notes = []
        if self.pairs is not None:
            notes.append(f"similarity of {len(self.pairs)} chosen pairs")
        if self.balance_classes:
            notes.append("classifiers' loss weighted by class")
        if (self.aggregate, self.normalize) != ("median", "mad_robustize"):
            notes.append(f"profiles: {self.aggregate} of images, normalized by {self.normalize}")
        if self.sweep != Sweep():
            notes.append("thinned sweeps")
        if len(self.encoder) > 1:
            notes.append(f"{len(self.encoder)} encoders")
        elif self.encoder != ("study",):
            notes.append(f"encoder {self.encoder[0]}, not the study's")
        if self.epochs < PROFILES["paper"].epochs:
            notes.append(f"{self.epochs} of the study's {PROFILES['paper'].epochs} epochs")
        if self.batch_size * self.accumulate != PROFILES["paper"].batch_size:
            notes.append(
                f"batches of {self.batch_size * self.accumulate} images, not {PROFILES['paper'].batch_size}"
            )
        if self.precision != "float32":
            notes.append(f"trained in {self.precision}, not float32")
        if self.images is not None:
            notes.append(f"at most {self.images} images")
        if self.train_images is not None:
            notes.append(f"learning from at most {self.train_images} images")
        if self.seeds == 1:
            notes.append("one seed")
        return notes


def prepare(out: Path, content: dict[str, Any], *, fresh: bool) -> None:
    """Make ``out`` the folder of a run with ``content`` = {"options", "data"}, or check that it is already.

    InputError where it holds a run made with other options (named), or files that are not a run's.
    ``fresh`` removes an earlier run's files, and only those.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"OUT: a folder wanted, got the file {out}")
    if (out / OPTIONS).is_file():
        if fresh:
            remove_own(out)
        else:
            _refuse_other(out, content)
            return
    elif out.is_dir() and any(entry.name != LOCK for entry in out.iterdir()):
        raise InputError(
            f"OUT: a new or empty folder or one of an earlier run wanted, but {out} holds other files"
        )
    write_json(out / OPTIONS, content)


def _refuse_other(out: Path, content: dict[str, Any]) -> None:
    there = read_json(out / OPTIONS)
    if not isinstance(there, dict) or not all(isinstance(there.get(key), dict) for key in content):
        raise InputError(f"{out / OPTIONS}: the options of a run wanted, got other JSON; --fresh starts anew")
    differences = [
        f"{_option(part, key)} {_shown(there[part].get(key))} there, {_shown(value)} asked"
        for part, values in content.items()
        for key, value in plain(values).items()
        if there[part].get(key, _FIRST.get(key)) != value
    ]
    if differences:
        raise InputError(
            f"{out}: made with other options: {'; '.join(differences)}. "
            "Take another OUT, or --fresh to do it anew"
        )


def _option(part: str, key: str) -> str:
    return f"--{key.replace('_', '-')}" if part == "options" and key != "sweep" else key.replace("_", " ")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        text = ", ".join(str(item) for item in value)
        return text if len(value) <= 4 else f"{len(value)} of them"
    if value is None:
        return "all"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _frozen(value: Any) -> Any:
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


def _chosen(option: str, names: Sequence[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    if names is None:
        return known
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"{option}: of {', '.join(known)} wanted, got {', '.join(unknown)}")
    return tuple(name for name in known if name in names)


def _objectives(given: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    from morphobench.objectives import registry

    found: dict[str, str] = {}
    for text in given:
        name = str(registry.find(text).name) if ":" in text else text
        if ":" not in text or name in known or name in found:
            reason = f"another paradigm is named {name!r}" if ":" in text else "it names no class"
            raise InputError(
                f"--objective: package.module:Class of a new paradigm wanted, got {text!r}: {reason}"
            )
        found[name] = text
    return found


def _encoders(given: Sequence[str]) -> tuple[str, ...]:
    from morphobench.models import encoder_names

    return tuple(dict.fromkeys(name for text in given for name in encoder_names(text)))


def _device(device: str) -> str:
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise InputError(f"--device: auto, cpu or cuda wanted, got {device!r}") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(f"--device: {device} wanted, but PyTorch finds no CUDA device here")
    if kind not in ("cpu", "cuda"):
        raise InputError(f"--device: auto, cpu or cuda wanted, got {device!r}")
    return device
