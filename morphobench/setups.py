"""The 16 setups (4 paradigms x 4 settings) and the profiles that say how much of the study a run does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from morphobench.errors import InputError

PARADIGMS = ("weakly_supervised", "self_supervised", "unsupervised", "regularized")
SETTINGS = ("no_aug_one_crop", "aug_one_crop", "no_aug_multi_crop", "aug_multi_crop")


@dataclass(frozen=True, order=True)
class Setup:
    """One paradigm under one setting; ``str(setup)`` is ``"paradigm/setting"``.

    ``encoder``: where several are compared, the one of this setup, as ``"paradigm/setting@encoder"``.
    """

    paradigm: str
    setting: str
    encoder: str = ""

    def __str__(self) -> str:
        return f"{self.paradigm}/{self.setting}{'@' if self.encoder else ''}{self.encoder}"

    @classmethod
    def parse(cls, text: str) -> Setup:
        """The setup of such a name; InputError when it has another form."""
        paradigm, slash, rest = text.partition("/")
        setting, _, encoder = rest.partition("@")
        if not (paradigm and slash and setting in SETTINGS):
            raise InputError(
                f"setup: 'paradigm/setting' with a setting of {', '.join(SETTINGS)} wanted, got {text!r}"
            )
        return cls(paradigm, setting, encoder)


SETUPS: tuple[Setup, ...] = tuple(Setup(paradigm, setting) for paradigm in PARADIGMS for setting in SETTINGS)
"""The study's 16 setups, by paradigm, then setting."""


def select(patterns: Iterable[str] | None, *, extra: Iterable[str] = ()) -> tuple[Setup, ...]:
    """The setups that match any of the shell-style ``patterns`` (all 16 for None), in the order of SETUPS.

    ``extra``: further paradigms (registered objectives outside the study's four), which a pattern reaches by
    at least a part of their name: ``"*/aug_one_crop"`` is of the study's four, ``"sim*/*"`` reaches SimCLR.
    InputError names a pattern that matches nothing.
    """
    if patterns is None:
        return SETUPS
    further = [
        Setup(paradigm, setting) for paradigm in extra for setting in SETTINGS if paradigm not in PARADIGMS
    ]
    candidates = [*SETUPS, *further]
    chosen: set[Setup] = set()
    for pattern in patterns:
        reached = candidates if pattern.partition("/")[0].strip("*?") else SETUPS
        matched = [setup for setup in reached if fnmatchcase(str(setup), pattern)]
        if not matched:
            known = sorted({setup.paradigm for setup in candidates})
            raise InputError(
                f"--setups: {pattern!r} matches no setup; paradigms: {', '.join(known)}; "
                f"settings: {', '.join(SETTINGS)}"
            )
        chosen.update(matched)
    return tuple(setup for setup in candidates if setup in chosen)


@dataclass(frozen=True)
class Sweep:
    """What the evaluation tasks try; the defaults are the study's.

    ``classifier_epochs`` and ``classifier_batch``: the classifier on frozen embeddings, for each point of
    learning rate x momentum x weight decay. ``min_cluster_sizes``: HDBSCAN's, and UMAP's neighbours.
    """

    learning_rates: tuple[float, ...] = (0.1, 0.05, 0.01)
    momenta: tuple[float, ...] = (0.9, 0.8, 0.7)
    weight_decays: tuple[float, ...] = (1e-3, 1e-4, 1e-5)
    classifier_epochs: int = 25
    classifier_batch: int = 1024
    min_cluster_sizes: tuple[int, ...] = tuple(range(10, 151, 10))


@dataclass(frozen=True)
class Profile:
    """How much of the study a run does.

    ``images``: taken from the store (None: all). ``train_images``: how many of these encoders and classifiers
    learn from at most (None: the whole train part); learning is what costs, while embedding more images for
    the tasks is cheap and makes their numbers mean something.
    """

    name: str
    images: int | None
    train_images: int | None
    epochs: int
    seeds: int
    sweep: Sweep
    batch_size: int = 256

    def describe(self) -> dict[str, Any]:
        """Every field, as plain JSON types, for the record of a run."""
        sweep = {
            key: list(value) if isinstance(value, tuple) else value for key, value in vars(self.sweep).items()
        }
        return {**vars(self), "sweep": sweep}


_THIN = Sweep(
    learning_rates=(0.1, 0.01), momenta=(0.9,), weight_decays=(1e-4,), min_cluster_sizes=(10, 20, 40)
)

PROFILES: dict[str, Profile] = {
    "smoke": Profile(
        "smoke",
        images=1000,
        train_images=192,
        epochs=1,
        seeds=1,
        sweep=Sweep(
            learning_rates=(0.05,),
            momenta=(0.9,),
            weight_decays=(1e-4,),
            classifier_epochs=5,
            min_cluster_sizes=(10,),
        ),
        batch_size=64,
    ),
    "quick": Profile("quick", images=4000, train_images=768, epochs=1, seeds=3, sweep=_THIN, batch_size=64),
    "paper": Profile("paper", images=None, train_images=None, epochs=50, seeds=3, sweep=Sweep()),
}
"""``smoke`` (under 2 minutes on 2 cores), ``quick`` (the default; minutes), ``paper`` (the whole study)."""
