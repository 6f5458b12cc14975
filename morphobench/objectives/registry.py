"""Paradigms by name: ours, those of installed packages, and ``package.module:Class``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeVar

import torch

from morphobench._util.plugins import load_plugin
from morphobench.errors import InputError
from morphobench.objectives.protocol import Objective
from morphobench.setups import ALIASES, FURTHER_PARADIGMS, PARADIGMS

ENTRY_POINT_GROUP = "morphobench.objectives"
_classes: dict[str, type[Any]] = {}
_Class = TypeVar("_Class", bound=type[Any])


def register(name: str) -> Callable[[_Class], _Class]:
    """Make a class known under a name, as a decorator.

    Args:
        name: the paradigm's name.

    Returns:
        The decorator, which returns the class itself.

    Raises:
        InputError: when another class has that name.
    """

    def add(cls: _Class) -> _Class:
        known = _classes.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise InputError(
                f"objective {name!r} must have a name of its own, got the name of "
                f"{known.__module__}:{known.__qualname__}"
            )
        _classes[name] = cls
        return cls

    return add


def _load_own() -> None:
    for module in (*PARADIGMS, *FURTHER_PARADIGMS):
        import_module(f"morphobench.objectives.{module}")


def _installed() -> dict[str, Any]:
    """Entry points by name; InputError where two packages share a name."""
    found: dict[str, Any] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        clash = found.get(entry.name)
        if clash is not None and clash.value != entry.value:
            raise InputError(
                f"objective {entry.name!r} must be one installed class, got {clash.value} and {entry.value}"
            )
        found[entry.name] = entry
    return found


def names() -> tuple[str, ...]:
    """Return every paradigm that ``create`` knows by name: the study's four first, then others by name."""
    _load_own()
    others = sorted({*_classes, *_installed()} - set(PARADIGMS))
    return (*PARADIGMS, *others)


def find(name: str) -> type[Any]:
    """Find the class of a paradigm.

    Args:
        name: one of ``names()``, one of ``ALIASES``, or ``"package.module:Class"``. Hyphens count as
            underscores, as the study spells its paradigms.

    Returns:
        The class, not made yet.

    Raises:
        InputError: for an unknown name, naming the known ones, and for what is no class of an objective.
    """
    if ":" in name:
        return _checked(load_plugin(name, label="objective"), name)
    _load_own()
    key = name.replace("-", "_")
    key = ALIASES.get(key, key)
    entry = _installed().get(key)
    if key in _classes:
        return _classes[key]
    if entry is None:
        raise InputError(
            f"objective must be one of {', '.join(names())}, or 'package.module:Class', got {name!r}"
        )
    try:
        found = entry.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"objective {name!r}: {entry.value} does not load ({error})") from error
    return _checked(found, name)


def _checked(found: Any, name: str) -> type[Any]:
    # the members that classes have before they are made; create() checks the others
    methods = {key for key, value in vars(Objective).items() if callable(value) and not key.startswith("_")}
    if not isinstance(found, type):
        raise InputError(f"objective {name!r} must be a class, got {type(found).__name__}")
    missing = sorted(methods - set(dir(found)))
    if missing:
        raise InputError(
            f"objective {name!r} must be a class with {', '.join(sorted(methods))} (as subclasses of "
            f"BaseObjective have), got one without {', '.join(missing)}"
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
    """Make a paradigm's networks and optimizers, ready to train.

    Args:
        name: what ``find`` takes.
        protocol: the protocol whose rules to follow.
        channels: channels of the images.
        seed: of the initial weights; the same seed gives the same initial encoder in every paradigm.
        device: where the networks are put.
        **options: the paradigm's own, such as ``learning_rate`` or ``ema_decay`` (see its class).

    Returns:
        The objective.

    Raises:
        InputError: for an unknown name, protocol or option.
    """
    cls = find(name)
    try:
        made: Objective = cls(protocol=protocol, channels=channels, seed=seed, device=device, **options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise InputError(f"{name}: {error}") from error
    if not isinstance(made, Objective):
        raise InputError(f"objective {name!r} must have all that Objective declares, got {cls.__name__}")
    return made
