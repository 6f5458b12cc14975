"""Values of options: made of the text of a command line or of TOML, checked, and turned into plain types."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from morphobench.errors import InputError

LARGEST = 2**53
"""Largest whole number that an option takes unless it says otherwise: JSON readers keep it exactly."""


@dataclass(frozen=True)
class Option:
    """What users are told about a field, and what its value must be.

    Attributes:
        help: One line for ``--help``: what it sets. The default is added from the field.
        flag: Name on the command line; "" for a positional argument, None for configuration files only.
        metavar: Stand-in for the value in the help.
        unit: Unit, shown behind the default.
        minimum: Smallest allowed number.
        maximum: Largest allowed number.
        choices: Allowed texts; those of a ``Literal`` type need not be repeated.
        default_text: What to show as default where the field's own default does not say it.
        separator: Splits the text of a list; None: each use of the flag gives one item.
        kind: Type of the value as given, where ``resolve`` turns it into the field's type.
        parse: Makes an item of such a text; raises ValueError saying what it must be.
        off: Flag that sets an empty list.
        saved: Whether configuration files keep it and results made with another value are refused.
    """

    help: str
    flag: str | None = ""
    metavar: str | None = None
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    default_text: str | None = None
    separator: str | None = ","
    kind: Any = None
    parse: Callable[[str], Any] | None = None
    off: str | None = None
    saved: bool = True


def convert_value(kind: Any, value: Any, option: Option, label: str) -> Any:
    """Turn a text, or a value of TOML, into a value of a type.

    Args:
        kind: Type: a simple one, ``X | None``, a ``Literal``, a list ``tuple[X, ...]`` or a pair.
        value: The text or value; for a list also a list of them.
        option: Its choices, separator and parser.
        label: How to name it in an error.

    Returns:
        Value of that type; its bounds are not checked yet.

    Raises:
        InputError: The value cannot be of that type.
    """
    kind = _without_none(kind)
    arguments = get_args(kind)
    if get_origin(kind) is tuple and arguments[-1] is Ellipsis:
        return _converted_list(arguments[0], value, option, label)
    if option.parse is not None and isinstance(value, str):
        try:
            return option.parse(value)
        except ValueError as error:
            raise InputError(f"{label} must be {error}, got {value!r}") from None
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple) or len(value) != len(arguments):
            raise InputError(f"{label} must be a list of {len(arguments)}, got {value!r}")
        item_option = replace(option, parse=None)
        pairs = zip(arguments, value, strict=True)
        return tuple(convert_value(inner, item, item_option, label) for inner, item in pairs)
    if get_origin(kind) is Literal or option.choices:
        choices = option.choices or arguments
        if value not in choices:
            raise InputError(f"{label} must be one of {', '.join(choices)}, got {value!r}")
        return value
    wanted, make = _SIMPLE[kind]
    made = make(value)
    if made is None:
        raise InputError(f"{label} must be {wanted}, got {value!r}")
    return made


def _converted_list(kind: Any, value: Any, option: Option, label: str) -> tuple[Any, ...]:
    items = list(value) if isinstance(value, list | tuple) else [value]
    if option.separator is not None and option.parse is None:
        split: list[Any] = []
        for item in items:
            if isinstance(item, str):
                parts = [part.strip() for part in item.split(option.separator) if part.strip()]
                if not parts:
                    raise InputError(f"{label} must name at least one, got {item!r}")
                split += parts
            else:
                split.append(item)
        items = split
    return tuple(convert_value(kind, item, option, label) for item in items)


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,30}", value.strip()):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9.]+([eE][+-]?[0-9]{1,9})?", value.strip()):
        return None  # float() would take digits of other scripts and underscores too
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and math.isfinite(found) else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


def _path(value: Any) -> Path | None:
    usable = isinstance(value, str | Path) and str(value) and "\0" not in str(value)
    return Path(value) if usable else None


_SIMPLE: dict[Any, tuple[str, Callable[[Any], Any]]] = {
    bool: ("true or false", _truth),
    int: ("a whole number", _whole),
    float: ("a finite number", _number),
    str: ("text", lambda value: value if isinstance(value, str) else None),
    Path: ("a path", _path),
}


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        left = [each for each in get_args(kind) if each is not NoneType]
        return left[0] if len(left) == 1 else kind
    return kind


def require_bounds(value: Any, option: Option, label: str) -> None:
    """Check the bounds of a number, or of each number of a list.

    Args:
        value: Value of an option; other types than numbers have no bounds.
        option: The option.
        label: How to name it in an error.

    Raises:
        InputError: A number is out of bounds.
    """
    if isinstance(value, tuple):
        for item in value:
            require_bounds(item, option, label)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    smallest = -LARGEST if option.minimum is None else option.minimum
    if not value >= smallest:
        raise InputError(f"{label} must be at least {_shown(smallest)}, got {value}")
    largest = LARGEST if option.maximum is None else option.maximum
    if not value <= largest:
        raise InputError(f"{label} must be at most {_shown(largest)}, got {value}")


def _shown(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else f"{bound:g}"


def plain_value(value: Any) -> Any:
    """Turn an option's value into plain JSON types.

    Args:
        value: Value of an option.

    Returns:
        Tuples as lists, dataclasses that are no text of their own as mappings, other objects as text.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain_value(item) for item in value]
    if is_dataclass(value) and type(value).__str__ is object.__str__:
        return {one.name: plain_value(getattr(value, one.name)) for one in fields(value)}
    return str(value)
