"""Options of a cost measurement: which setups, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from morphobench._util.options import group, option
from morphobench.errors import InputError
from morphobench.options import EngineOptions
from morphobench.run.options import SetupOptions

_DEFAULTS = {"train_images": 256, "batch_size": 32}  # few, so that an epoch takes seconds


@dataclass(frozen=True)
class CostOptions(SetupOptions):
    """What is measured and until when.

    All setups take part in ``rounds`` rounds of ``epochs_per_round`` epochs; those whose validation loss has
    not converged by then go on, until ``training.epochs``.
    """

    rounds: int = option(
        "rounds that all setups take part in", default=5, metavar="R", minimum=1, maximum=100_000
    )
    epochs_per_round: int = option("epochs of each round", default=1, metavar="E", minimum=1, maximum=100_000)
    improvement: float = option(
        "a setup counts as converged when its validation loss falls by less than this share within "
        "--patience epochs",
        default=0.01,
        metavar="X",
        minimum=0,
        maximum=0.999,
    )
    patience: int = option(
        "epochs in which the validation loss must fall by --improvement, or the setup counts as converged",
        default=5,
        metavar="K",
        minimum=1,
        maximum=100_000,
    )
    engine: EngineOptions = group(EngineOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.training.epochs < self.rounds * self.epochs_per_round:
            raise InputError(
                f"--epochs must be at least {self.rounds} rounds x {self.epochs_per_round}, "
                f"got {self.training.epochs}"
            )

    @classmethod
    def _with_defaults(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**_DEFAULTS, **values}

    @classmethod
    def default_texts(cls) -> Mapping[str, str]:
        """Defaults that differ from those of training."""
        texts = {name: str(value) for name, value in _DEFAULTS.items()}
        return {**texts, "epochs": "50; setups that converge earlier stop there"}
