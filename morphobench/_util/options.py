"""Options as fields of frozen dataclasses: the command line and configuration files are made from them.

A class of options derives from `Options`; its fields are made by `option`, `argument` (positional on the
command line) or `group` (another class of options). The name of a field is unique within its command, so that
its flag and its key in a record need no prefix. Fields made otherwise are set by the program, not by users.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from typing import Any, Self, get_type_hints

from morphobench._util.option_values import Option, convert_value, plain_value, require_bounds
from morphobench._util.text import did_you_mean
from morphobench.errors import InputError


@dataclass(frozen=True)
class OptionField:
    """A field of a class of options, found by `option_fields`.

    Attributes:
        name: Its name.
        attributes: Attributes that lead to it from an instance of the class.
        path: Its key in a configuration file, in parts: as ``attributes``, without inline groups.
        kind: Type of its value as given.
        option: What users are told about it.
        default: Its default; ``dataclasses.MISSING`` where it has none.
    """

    name: str
    attributes: tuple[str, ...]
    path: tuple[str, ...]
    kind: Any
    option: Option
    default: Any

    @property
    def label(self) -> str:
        """Its flag, or the metavar of a positional argument, or its key in a configuration file."""
        return self.option.flag or (self.option.metavar if self.option.flag == "" else None) or self.key

    @property
    def key(self) -> str:
        """Its dotted key in configuration files and ``--set``."""
        return ".".join(self.path)


def option(
    help: str,  # noqa: A002 (argparse's name for it)
    *,
    default: Any = MISSING,
    flag: str | None = "--",
    **further: Any,
) -> Any:
    """Make a field that users set by a flag, a configuration file or ``--set``.

    Args:
        help: One line for ``--help``.
        default: Default value; a required option has none.
        flag: Name on the command line; by default the field's name. None: configuration files only.
        **further: Other attributes of `Option`.

    Returns:
        Field of a dataclass.
    """
    return field(default=default, metadata={"option": Option(help, flag=flag, **further)})


def argument(metavar: str, help: str, **further: Any) -> Any:  # noqa: A002
    """Make a required field that is positional on the command line.

    Args:
        metavar: Stand-in for the value in the help.
        help: One line for ``--help``.
        **further: Other attributes of `Option`.

    Returns:
        Field of a dataclass.
    """
    return field(metadata={"option": Option(help, flag="", metavar=metavar, **further)})


def group(cls: type[Options], *, inline: bool = False) -> Any:
    """Make a field that holds another class of options.

    Args:
        cls: That class.
        inline: Whether its options stand beside the others in configuration files, without a table.

    Returns:
        Field of a dataclass whose default is ``cls()``.
    """
    return field(default_factory=cls, metadata={"group": cls, "inline": inline})


class Options:
    """Base of the frozen dataclasses whose fields are options."""

    def __post_init__(self) -> None:
        for one in own_option_fields(type(self)):
            require_bounds(getattr(self, one.name), one.option, one.name)

    @classmethod
    def resolve(cls, **given: Any) -> Self:
        """Make the options of what users gave; other fields take their defaults.

        A class whose options depend on one another or on the machine overrides this.

        Args:
            **given: Values by field name, those of groups among them.

        Returns:
            The options.

        Raises:
            InputError: A required option is missing, or a value is not allowed.
        """
        return cls._resolved(cls._with_defaults(given))

    @classmethod
    def _resolved(cls, values: dict[str, Any]) -> Self:
        return cls._assembled(values, lambda nested, own: nested.resolve(**own))

    @classmethod
    def _with_defaults(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The values that users gave, and those that stand in this class for what they did not give."""
        return values

    @classmethod
    def build(cls, **given: Any) -> Self:
        """Make the options of values that are resolved already.

        Args:
            **given: Values of the fields' types by field name, those of groups among them.

        Returns:
            The options.

        Raises:
            InputError: A required option is missing, or a number is out of bounds.
        """
        return cls._assembled(given, lambda nested, values: nested.build(**values))

    @classmethod
    def _assembled(
        cls, given: Mapping[str, Any], make: Callable[[type[Options], dict[str, Any]], Options]
    ) -> Self:
        known = {one.name for one in option_fields(cls)}
        unknown = sorted(given.keys() - known)
        if unknown:
            meant = did_you_mean(unknown, sorted(known))
            raise InputError(
                f"options must be among {', '.join(sorted(known))}, got {', '.join(unknown)}{meant}"
            )
        values: dict[str, Any] = {}
        for one in fields(cls):  # type: ignore[arg-type]
            if "group" in one.metadata:
                nested: type[Options] = one.metadata["group"]
                names = {inner.name for inner in option_fields(nested)}
                values[one.name] = make(nested, {k: v for k, v in given.items() if k in names})
            elif one.name in given:
                values[one.name] = given[one.name]
        for required in own_option_fields(cls):
            if required.default is MISSING and required.name not in values:
                raise InputError(f"{required.label} must be given ({required.option.help})")
        return cls(**values)

    @classmethod
    def default_texts(cls) -> Mapping[str, str]:
        """Defaults to show in the help instead of the fields' own, by field name."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Every saved option by name, as plain JSON types."""
        return {one.name: value for one, value in _saved(self)}

    def tables(self) -> dict[str, Any]:
        """Every saved option that is not None, nested by group: the content of a configuration file."""
        found: dict[str, Any] = {}
        for one, value in _saved(self):
            if value is not None:
                table = found
                for name in one.path[:-1]:
                    table = table.setdefault(name, {})
                table[one.name] = value
        return found


def own_option_fields(cls: type[Any]) -> tuple[OptionField, ...]:
    """List the options of a class without those of its groups.

    Args:
        cls: Class of options.

    Returns:
        Its options, in the order of its fields.
    """
    hints = get_type_hints(cls)
    found = []
    for one in fields(cls):
        told: Option | None = one.metadata.get("option")
        if told is None:
            continue
        if told.flag == "--":
            told = replace(told, flag=f"--{one.name.replace('_', '-')}")
        kind = told.kind if told.kind is not None else hints[one.name]
        found.append(OptionField(one.name, (one.name,), (one.name,), kind, told, one.default))
    return tuple(found)


def option_fields(cls: type[Any]) -> tuple[OptionField, ...]:
    """List all options of a class, those of its groups after its own.

    Args:
        cls: Class of options.

    Returns:
        Its options, in the order of its fields.

    Raises:
        TypeError: Two have the same name.
    """
    kind: Any = cls  # mypy takes classes of dataclasses for unhashable
    return _option_fields(kind)


@cache
def _option_fields(cls: Any) -> tuple[OptionField, ...]:
    found = list(own_option_fields(cls))
    for one in fields(cls):
        if "group" in one.metadata:
            lead = () if one.metadata["inline"] else (one.name,)
            found += [
                replace(inner, attributes=(one.name, *inner.attributes), path=(*lead, *inner.path))
                for inner in option_fields(one.metadata["group"])
            ]
    names = [one.name for one in found]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise TypeError(f"{cls.__name__}: names of options must be unique, got {', '.join(doubled)} twice")
    return tuple(found)


def find_option(cls: type[Options], key: str, *, source: str) -> OptionField:
    """Find an option by its key.

    Args:
        cls: Class of options.
        key: Dotted key, or the name alone.
        source: Where the key was found, for the error.

    Returns:
        The option.

    Raises:
        InputError: There is none of that key.
    """
    for one in option_fields(cls):
        if key in (one.key, one.name):
            return one
    known = [one.key for one in option_fields(cls)]
    near = did_you_mean([key], known)
    raise InputError(f"{source}: {key} must be one of the options {', '.join(known)}{near}")


def convert(one: OptionField, value: Any, *, label: str) -> Any:
    """Turn a text of the command line or a value of a configuration file into an option's value.

    Args:
        one: The option.
        value: Text (or, for a list, a list of texts), or a value of TOML.
        label: How to name the option in an error.

    Returns:
        Value of the option's type, within its bounds.

    Raises:
        InputError: The value has another type or is out of bounds.
    """
    made = convert_value(one.kind, value, one.option, label)
    require_bounds(made, one.option, label)
    return made


def _saved(options: Options) -> Iterator[tuple[OptionField, Any]]:
    for one in option_fields(type(options)):
        if one.option.saved:
            holder: Any = options
            for part in one.attributes:
                holder = getattr(holder, part)
            yield one, plain_value(holder)
