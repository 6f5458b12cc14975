"""The 16 setups (4 paradigms x 4 settings) and the presets that say how much of the study a run does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from morphobench._util.options import Options, option
from morphobench.errors import InputError

PARADIGMS = ("weakly_supervised", "self_supervised", "unsupervised", "regularized")
"""The study's paradigms."""

FURTHER_PARADIGMS = (
    "compound_classification",
    "cross_well",
    "dino",
    "lejepa",
    "masked_autoencoder",
    "simclr",
    "supervised_contrastive",
    "vicreg",
)
"""Paradigms that come with this package beside the study's."""

ALIASES = {"byol": "self_supervised", "autoencoder": "unsupervised"}
"""Other names of the study's paradigms, understood by `select` and `Setup.parse`."""

SETTINGS = ("no_aug_one_crop", "aug_one_crop", "no_aug_multi_crop", "aug_multi_crop")
"""The study's settings: without or with augmentation, one view or five views per image."""


@dataclass(frozen=True, order=True)
class Setup:
    """One paradigm under one setting; ``str(setup)`` is ``"paradigm/setting"``.

    Attributes:
        paradigm: Name of the objective, such as ``"self_supervised"``.
        setting: One of `SETTINGS`.
        encoder: Where several encoders are compared, the one of this setup: ``"paradigm/setting@encoder"``.
    """

    paradigm: str
    setting: str
    encoder: str = ""

    def __str__(self) -> str:
        return f"{self.paradigm}/{self.setting}{'@' if self.encoder else ''}{self.encoder}"

    @classmethod
    def parse(cls, text: str) -> Setup:
        """Make the setup of a name.

        Args:
            text: ``"paradigm/setting"`` or ``"paradigm/setting@encoder"``.

        Returns:
            The setup; other names of paradigms (`ALIASES`) are replaced.

        Raises:
            InputError: The text has another form or an unknown setting.
        """
        paradigm, slash, rest = text.partition("/")
        setting, _, encoder = rest.partition("@")
        if not (paradigm and slash and setting in SETTINGS):
            raise InputError(
                f"setup must be 'paradigm/setting' with a setting of {', '.join(SETTINGS)}, got {text!r}"
            )
        return cls(ALIASES.get(paradigm, paradigm), setting, encoder)


SETUPS: tuple[Setup, ...] = tuple(Setup(paradigm, setting) for paradigm in PARADIGMS for setting in SETTINGS)
"""The study's 16 setups, by paradigm, then setting."""


def select(patterns: Iterable[str] | None, *, extra: Iterable[str] = ()) -> tuple[Setup, ...]:
    """Choose setups by shell-style patterns.

    Args:
        patterns: Patterns of ``"paradigm/setting"``; None chooses the study's 16. The paradigm may be one of
            `ALIASES`.
        extra: Names of further paradigms. A pattern reaches them only by at least a part of their name:
            ``"*/aug_one_crop"`` is of the study's four, ``"sim*/*"`` reaches SimCLR.

    Returns:
        The setups that any pattern matches, in the order of `SETUPS`, then ``extra``.

    Raises:
        InputError: A pattern matches nothing, or there is none.
    """
    if patterns is None:
        return SETUPS
    further = [
        Setup(paradigm, setting) for paradigm in extra for setting in SETTINGS if paradigm not in PARADIGMS
    ]
    candidates = [*SETUPS, *further]
    chosen: set[Setup] = set()
    for pattern in patterns:
        paradigm, slash, setting = pattern.partition("/")
        full = f"{ALIASES.get(paradigm, paradigm)}{slash}{setting}"
        reached = candidates if paradigm.strip("*?") else SETUPS
        matched = [setup for setup in reached if fnmatchcase(str(setup), full)]
        if not matched:
            known = dict.fromkeys(setup.paradigm for setup in candidates)
            raise InputError(
                f"--setups must match PARADIGM/SETTING, got {pattern!r}, which matches no setup; paradigms: "
                f"{', '.join((*known, *ALIASES))}; settings: {', '.join(SETTINGS)}"
            )
        chosen.update(matched)
    if not chosen:
        raise InputError("--setups must name at least one setup, got none")
    return tuple(setup for setup in candidates if setup in chosen)


@dataclass(frozen=True)
class Sweep(Options):
    """What the evaluation tasks try; the defaults are the study's."""

    learning_rates: tuple[float, ...] = option(
        "learning rates of the classifier on frozen embeddings; every combination with momenta and weight "
        "decays is tried",
        default=(0.1, 0.05, 0.01),
        flag=None,
        minimum=0,
    )
    momenta: tuple[float, ...] = option(
        "momenta of that classifier's optimizer", default=(0.9, 0.8, 0.7), flag=None, minimum=0, maximum=1
    )
    weight_decays: tuple[float, ...] = option(
        "weight decays of that classifier's optimizer", default=(1e-3, 1e-4, 1e-5), flag=None, minimum=0
    )
    classifier_epochs: int = option(
        "epochs of that classifier", default=25, flag=None, minimum=1, maximum=100_000
    )
    classifier_batch: int = option("batch size of that classifier", default=1024, flag=None, minimum=1)
    min_cluster_sizes: tuple[int, ...] = option(
        "smallest cluster sizes of HDBSCAN that are tried, each also UMAP's number of neighbours",
        default=tuple(range(10, 151, 10)),
        flag=None,
        minimum=2,
    )


@dataclass(frozen=True)
class Preset:
    """How much of the study a run does: defaults of a run's options under one name (``--profile``).

    Attributes:
        name: Its name.
        images: How many images of the store are used; None: all.
        train_images: How many of these encoders and classifiers learn from at most; None: the whole train
            part. Training is what costs; embedding more images for the tasks is cheap and makes their
            numbers more certain.
        epochs: Passes over the training images.
        seeds: Repetitions.
        sweep: What the evaluation tasks try.
        batch_size: Images in a batch.
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
        return {**vars(self), "sweep": self.sweep.describe()}

    def defaults(self) -> dict[str, Any]:
        """Default of every option that the preset sets, by the option's name."""
        own = {key: value for key, value in vars(self).items() if key not in ("name", "sweep")}
        return {**own, **vars(self.sweep)}


Profile = Preset  # the name before "profile" was left to the profiles of wells

_THIN = Sweep(
    learning_rates=(0.1, 0.01), momenta=(0.9,), weight_decays=(1e-4,), min_cluster_sizes=(10, 20, 40)
)

PRESETS: dict[str, Preset] = {
    "smoke": Preset(
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
    "quick": Preset("quick", images=4000, train_images=768, epochs=1, seeds=3, sweep=_THIN, batch_size=64),
    "paper": Preset("paper", images=None, train_images=None, epochs=50, seeds=3, sweep=Sweep()),
}
"""``smoke`` (under 2 minutes on 2 cores), ``quick`` (the default; minutes), ``paper`` (the whole study)."""

PROFILES = PRESETS  # their name in the public interface
