"""JSON values as typed dataclasses, with errors that name the field, and JSON schemas of dataclasses."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from morphobench.errors import InputError

EXTRA = "extra"
"""Name of the field that takes the keys a dataclass does not declare; without it they are left out."""

_NAMES: dict[Any, tuple[str, str]] = {
    str: ("text", "string"),
    int: ("a whole number", "integer"),
    float: ("a finite number", "number"),
    bool: ("true or false", "boolean"),
    type(None): ("null", "null"),
}
_SHOWN_CHARACTERS = 40


def from_json(kind: Any, value: Any, *, name: str = "") -> Any:
    """Convert a JSON value to a type, strictly: text is never read as a number, null only where allowed.

    Args:
        kind: str, int, float, bool, None, Any, Literal, a union, tuple, dict with str keys, a dataclass, or
            Annotated of these.
        value: what ``json.loads`` gave.
        name: what the value is, for messages, such as "metrics.similarity.d".

    Returns:
        The value: arrays as tuples, objects as dictionaries or dataclasses.

    Raises:
        InputError: where the value is of another type: "seed must be a whole number, got text 'x'".
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is Annotated:
        return from_json(arguments[0], value, name=name)
    if origin in (Union, types.UnionType):
        return _from_union(kind, arguments, value, name)
    if origin is Literal:
        if value in arguments and isinstance(value, str):
            return value
    elif origin is tuple and isinstance(value, list):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) == len(value):
            pairs = enumerate(zip(kinds, value, strict=True))
            return tuple(from_json(one, item, name=f"{name}[{k}]") for k, (one, item) in pairs)
    elif origin is dict and isinstance(value, Mapping):
        return {key: from_json(arguments[1], item, name=_join(name, key)) for key, item in value.items()}
    elif is_dataclass(kind) and isinstance(value, Mapping):
        return _from_object(kind, value, name)
    elif kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) < math.inf and abs(value) <= 1.7e308:
            return float(value)
    elif kind in _NAMES and type(value) is kind:
        return value
    raise InputError(f"{name or 'the value'} must be {_describe(kind)}, got {show_json(value)}")


def to_json_types(value: Any) -> Any:
    """Convert a dataclass back to what :func:`from_json` made it from.

    Args:
        value: a dataclass, or anything inside one.

    Returns:
        The value with dataclasses as dictionaries (``extra`` keys among the others) and tuples as lists.
    """
    if is_dataclass(value) and not isinstance(value, type):
        own = {
            one.name: to_json_types(getattr(value, one.name)) for one in fields(value) if one.name != EXTRA
        }
        return {**own, **to_json_types(getattr(value, EXTRA, {}))}
    if isinstance(value, Mapping):
        return {key: to_json_types(item) for key, item in value.items()}
    return [to_json_types(item) for item in value] if isinstance(value, tuple | list) else value


def json_schema(kind: type, *, title: str) -> dict[str, Any]:
    """Describe a dataclass as a JSON schema (draft 2020-12); texts of Annotated become descriptions.

    Args:
        kind: the dataclass.
        title: title of the schema.

    Returns:
        The schema. Further keys are allowed in every object.
    """
    defined: dict[str, Any] = {}
    top = _object_schema(kind, defined)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return {**head, **top, "$defs": dict(sorted(defined.items()))}


def show_json(value: Any) -> str:
    """Name a JSON value's type and, where it is short, the value, for error messages.

    Args:
        value: the value.

    Returns:
        Such as "text 'x'", "an array of 3" or "null".
    """
    if isinstance(value, Mapping):
        return f"an object with {', '.join(map(repr, list(value)[:3])) or 'no keys'}"
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    if isinstance(value, str):
        shown = value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}..."
        return f"text {shown!r}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= 10**_SHOWN_CHARACTERS:
        return "a whole number that is too large"
    return str(value)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _required(kind: Any) -> list[str]:
    return [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]


def _from_object(kind: Any, value: Mapping[str, Any], name: str) -> Any:
    hints = _hints(kind)
    known = [one.name for one in fields(kind) if one.name != EXTRA]
    required = _required(kind)
    if missing := [key for key in required if key not in value]:
        raise InputError(
            f"{name or 'the object'} must have {', '.join(required)}, got one without {', '.join(missing)}"
        )
    found = {key: from_json(hints[key], value[key], name=_join(name, key)) for key in known if key in value}
    if EXTRA in hints:
        found[EXTRA] = {key: item for key, item in value.items() if key not in known}
    return kind(**found)


def _from_union(kind: Any, arguments: tuple[Any, ...], value: Any, name: str) -> Any:
    """The one member beside None gives the better message; several members are tried in turn."""
    if value is None and type(None) in arguments:
        return None
    members = [one for one in arguments if one is not type(None)]
    if len(members) == 1 and (is_dataclass(members[0]) or get_origin(members[0]) in (dict, tuple)):
        matching = list if get_origin(members[0]) is tuple else Mapping
        if isinstance(value, matching):
            return from_json(members[0], value, name=name)
    else:
        for member in members:
            try:
                return from_json(member, value, name=name)
            except InputError:
                continue
    raise InputError(f"{name or 'the value'} must be {_describe(kind)}, got {show_json(value)}")


def _describe(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _describe(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(one) for one in arguments)
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if origin is tuple:
        many = "an array" if arguments[-1] is Ellipsis else f"an array of {len(arguments)}"
        return f"{many} (each {_describe(arguments[0])})"
    return _NAMES[kind][0] if kind in _NAMES else "an object"


def _join(name: str, key: str) -> str:
    return f"{name}.{key}" if name else str(key)


def _object_schema(kind: Any, defined: dict[str, Any]) -> dict[str, Any]:
    hints = _hints(kind)
    own = [one for one in fields(kind) if one.name != EXTRA]
    required = _required(kind)
    return {
        "type": "object",
        "description": (kind.__doc__ or "").strip().partition("\n")[0],
        "properties": {one.name: _schema(hints[one.name], defined) for one in own},
        **({"required": required} if required else {}),
    }


def _schema(kind: Any, defined: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return {"description": arguments[1], **_schema(arguments[0], defined)}
    if kind is Any:
        return {}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(one, defined) for one in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple and arguments[-1] is Ellipsis:
        return {"type": "array", "items": _schema(arguments[0], defined)}
    if origin is tuple:
        items = [_schema(one, defined) for one in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], defined)}
    if is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in defined:
            defined[kind.__name__] = _object_schema(kind, defined)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    return {"type": _NAMES[kind][1]}
