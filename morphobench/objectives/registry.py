"""Paradigms by name: ours, those of installed packages, and ``package.module:Class``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from morphobench.errors import InputError

if TYPE_CHECKING:
    from morphobench.objectives.protocol import Objective

ENTRY_POINT_GROUP = "morphobench.objectives"
_OWN = ("weakly_supervised", "self_supervised", "unsupervised", "regularized")
_FURTHER = ("dino", "simclr", "vicreg", "masked_autoencoder")
_classes: dict[str, type[Any]] = {}
_Class = TypeVar("_Class", bound=type[Any])


def register(name: str) -> Callable[[_Class], _Class]:
    """Class decorator: make one known under ``name``. InputError when another class has that name."""

    def add(cls: _Class) -> _Class:
        known = _classes.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise InputError(
                f"objective {name!r}: a name of its own wanted, got the name of "
                f"{known.__module__}:{known.__qualname__}"
            )
        _classes[name] = cls
        return cls

    return add


def _load_own() -> None:
    for module in (*_OWN, *_FURTHER):
        import_module(f"morphobench.objectives.{module}")


def _installed() -> dict[str, Any]:
    """Entry points by name; InputError where two packages, or a package and morphobench, share a name."""
    found: dict[str, Any] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        clash = found.get(entry.name)
        if clash is not None and clash.value != entry.value:
            raise InputError(
                f"objective {entry.name!r}: one installed class wanted, got {clash.value} and {entry.value}"
            )
        found[entry.name] = entry
    return found


def names() -> tuple[str, ...]:
    """Every paradigm that ``create`` knows by name: the study's four first, then others by name."""
    _load_own()
    others = sorted({*_classes, *_installed()} - set(_OWN))
    return (*_OWN, *others)


def find(name: str) -> type[Any]:
    """The class registered under ``name``, of an entry point, or at ``"package.module:Class"``.

    Hyphens count as underscores, as the study spells its paradigms. InputError for an unknown name, naming
    the known.
    """
    if ":" in name:
        module, _, attribute = name.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"objective: importable 'package.module:Class' wanted, got {name!r} ({error})"
            ) from error
        return _checked(found, name)
    _load_own()
    key = name.replace("-", "_")
    entry = _installed().get(key)
    if key in _classes:
        return _classes[key]
    if entry is None:
        raise InputError(
            f"objective: one of {', '.join(names())}, or 'package.module:Class' wanted, got {name!r}"
        )
    try:
        found = entry.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"objective {name!r}: {entry.value} does not load ({error})") from error
    return _checked(found, name)


def _checked(found: Any, name: str) -> type[Any]:
    wanted = ("name", "pair_views", "train_step", "validation_loss", "named_parameters", "state_dict")
    missing = [attribute for attribute in wanted if not hasattr(found, attribute)]
    if not isinstance(found, type) or missing:
        raise InputError(
            f"objective {name!r}: a class with {', '.join(wanted)} wanted, "
            f"missing: {', '.join(missing) or 'a class'}"
        )
    return found


def create(
    name: str,
    *,
    protocol: str = "corrected-1",
    channels: int = 1,
    seed: int = 0,
    device: torch.device | str = "cpu",
    **options: Any,
) -> Objective:
    """A paradigm's networks and optimizers, ready to train.

    ``name``: one of ``names()`` or ``"package.module:Class"``. ``channels``: of the images. ``seed``: of the
    initial weights; the same seed gives the same initial encoder in every paradigm. ``options``: the
    paradigm's own, e.g. ``learning_rate``, ``ema_decay`` (see its class). InputError for an unknown name,
    protocol or option.
    """
    cls = find(name)
    try:
        made: Objective = cls(protocol=protocol, channels=channels, seed=seed, device=device, **options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise InputError(f"{name}: {error}") from error
    return made
