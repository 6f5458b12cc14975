"""Settings of one objective, such as BYOL's ``ema_decay``: their names, and their form as text."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterable
from typing import Any

from morphobench._util.toml import toml_value
from morphobench.errors import InputError
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.registry import find


def own_settings(name: str) -> dict[str, Any]:
    """List the settings that an objective has besides those of every objective.

    Args:
        name: What ``objectives.find`` takes.

    Returns:
        Defaults by name; ``inspect.Parameter.empty`` where there is none.

    Raises:
        InputError: There is no such objective.
    """
    shared = set(inspect.signature(BaseObjective.__init__).parameters)
    found: dict[str, Any] = {}
    for owner in find(name).__mro__:
        if owner in (BaseObjective, object) or "__init__" not in vars(owner):
            continue
        for parameter in inspect.signature(vars(owner)["__init__"]).parameters.values():
            if parameter.name not in shared and parameter.kind not in (
                parameter.VAR_KEYWORD,
                parameter.VAR_POSITIONAL,
            ):
                found.setdefault(parameter.name, parameter.default)
    return found


def setting_text(paradigm: str, name: str, value: Any) -> str:
    """Write a setting as ``--objective-setting`` takes it.

    Args:
        paradigm: The objective's name in setups.
        name: The setting's name.
        value: A text, number, truth value, or list of these.

    Returns:
        ``"paradigm.name=value"``, the value as in TOML.
    """
    return f"{paradigm}.{name}={toml_value(value)}"


def parse_setting(text: str) -> tuple[str, str, Any]:
    """Read a setting.

    Args:
        text: ``"paradigm.name=value"``; a value that is not TOML counts as text.

    Returns:
        Paradigm, name and value; lists as tuples.

    Raises:
        InputError: It has another form.
    """
    key, equals, value = text.partition("=")
    paradigm, dot, name = key.strip().rpartition(".")
    if not (equals and dot and paradigm and name and value.strip()):
        raise InputError(f"--objective-setting must be PARADIGM.NAME=VALUE, got {text!r}")
    try:
        found = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        found = value.strip()
    return paradigm, name, tuple(found) if isinstance(found, list) else found


def checked_settings(texts: Iterable[str], objectives: dict[str, str]) -> tuple[str, ...]:
    """Check settings, and bring them to one form.

    Args:
        texts: As `parse_setting` takes them; the paradigm may be an alias, such as ``byol``.
        objectives: What ``objectives.find`` takes, by the paradigms that are trained.

    Returns:
        The settings, sorted, each name once; of equal names the last one counts.

    Raises:
        InputError: A paradigm is not trained, or has no setting of that name.
    """
    found: dict[tuple[str, str], Any] = {}
    for text in texts:
        given, name, value = parse_setting(text)
        paradigm = given if given in objectives else str(find(given).name)
        if paradigm not in objectives:
            raise InputError(
                f"--objective-setting must be of a paradigm that is trained, {', '.join(objectives)}, "
                f"got {text!r}"
            )
        known = own_settings(objectives[paradigm])
        if name not in known:
            raise InputError(
                f"--objective-setting of {paradigm} must be one of {', '.join(known) or 'none'}, got {text!r}"
            )
        found[paradigm, name] = value
    return tuple(setting_text(*key, value) for key, value in sorted(found.items()))
