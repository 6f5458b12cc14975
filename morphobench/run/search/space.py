"""The space of a search: a TOML file that names options, and the values that each may take."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from morphobench._util.options import OptionField, convert, own_option_fields
from morphobench._util.toml import read_toml, toml_value
from morphobench.errors import InputError
from morphobench.options import TrainingOptions

TABLES = ("training", "objective")
"""Tables of the file: options of training, and settings of the objective."""

_KEYS = {"float": {"low", "high", "log"}, "int": {"low", "high", "log"}, "choice": {"values"}}
_EXAMPLE = "a table such as {kind = 'float', low = 1e-5, high = 1e-2, log = true}"


@dataclass(frozen=True)
class Parameter:
    """One option that a search varies.

    Attributes:
        table: One of `TABLES`.
        name: Name of the option or setting.
        kind: Whether its values are numbers, whole numbers, or some of a list.
        low: Smallest number.
        high: Largest number.
        log: Whether numbers are drawn on a logarithmic scale.
        values: The choices; none for numbers.
    """

    table: str
    name: str
    kind: Literal["float", "int", "choice"]
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    values: tuple[Any, ...] = ()

    @property
    def key(self) -> str:
        """Its dotted key, as in the file."""
        return f"{self.table}.{self.name}"

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values to check: the choices, or the smallest and largest number."""
        return self.values or (self.low, self.high)

    def __str__(self) -> str:
        if self.kind == "choice":
            return f"{self.key} of {toml_value(self.values)}"
        return f"{self.key} {self.low} to {self.high}{', log' if self.log else ''}"

    def encode(self, value: Any) -> Any:
        """Give the form of a value that Optuna stores: the position of a choice, else the number itself.

        Args:
            value: A value.

        Returns:
            That form; None where the value lies outside.
        """
        if self.kind == "choice":
            return self.values.index(value) if value in self.values else None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if is_number and self.low <= value <= self.high else None

    def decode(self, stored: Any) -> Any:
        """Give the value of a stored form.

        Args:
            stored: What `encode` returned.

        Returns:
            The value.
        """
        return self.values[stored] if self.kind == "choice" else stored


def read_space(path: Path, settings: Collection[str]) -> tuple[Parameter, ...]:
    """Read the file of a space.

    Args:
        path: The file.
        settings: Names of the objective's settings.

    Returns:
        What is varied, in the order of the file.

    Raises:
        InputError: The file names something else, or a value that is not allowed; it says which.
    """
    content = read_toml(path)
    options = {one.name: one for one in own_option_fields(TrainingOptions)}
    found = []
    for table, entries in content.items():
        if table not in TABLES or not isinstance(entries, Mapping):
            raise InputError(f"{path}: {table} must be one of the tables {', '.join(TABLES)}")
        known: Collection[str] = options if table == "training" else settings
        for name, entry in entries.items():
            key = f"{path}: {table}.{name}"
            if name not in known:
                raise InputError(f"{key} must be one of {', '.join(known) or 'none: it has no settings'}")
            one = _parameter(table, name, entry, key)
            if table == "training":
                one = _of_option(one, options[name], key)
            found.append(one)
    if not found:
        raise InputError(f"{path} must name at least one option in [training] or [objective], got none")
    return tuple(found)


def _parameter(table: str, name: str, entry: Any, key: str) -> Parameter:
    if not isinstance(entry, Mapping):
        raise InputError(f"{key} must be {_EXAMPLE}, got {entry!r}")
    kind = entry.get("kind")
    if kind not in _KEYS:
        raise InputError(f"{key}: kind must be one of {', '.join(_KEYS)}, got {kind!r}")
    unknown = sorted(entry.keys() - _KEYS[kind] - {"kind"})
    missing = sorted(_KEYS[kind] - entry.keys() - {"log"})
    if unknown or missing:
        raise InputError(
            f"{key}: a {kind} must have {', '.join(sorted(_KEYS[kind]))}, "
            f"got {'none of ' if missing else ''}{', '.join(missing or unknown)}"
        )
    if kind == "choice":
        return Parameter(table, name, "choice", values=_choices(entry["values"], key))
    low, high = (_number(entry[end], kind, f"{key}: {end}") for end in ("low", "high"))
    log = entry.get("log", False)
    if not isinstance(log, bool):
        raise InputError(f"{key}: log must be true or false, got {log!r}")
    if not low < high:
        raise InputError(f"{key}: low must be less than high, got {low} and {high}")
    if log and not low > 0:
        raise InputError(f"{key}: low must be above 0 on a logarithmic scale, got {low}")
    return Parameter(table, name, kind, low, high, log)


def _number(value: Any, kind: str, label: str) -> float:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole or (kind == "float" and isinstance(value, float)):
        return int(value) if kind == "int" else float(value)
    raise InputError(f"{label} must be a {'whole ' if kind == 'int' else ''}number, got {value!r}")


def _choices(values: Any, key: str) -> tuple[Any, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) < 2:
        raise InputError(f"{key}: values must be a list of at least two, got {values!r}")
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


def _of_option(one: Parameter, option: OptionField, key: str) -> Parameter:
    """The parameter, its values checked as those of the option are."""
    kind = {int: "int", float: "float"}.get(option.kind, "choice")
    if one.kind not in (kind, "choice"):
        wanted = "choice" if kind == "choice" else f"{kind} or choice"
        raise InputError(f"{key}: kind must be {wanted}, got {one.kind!r}")
    checked = tuple(convert(option, value, label=f"{key}:") for value in one.ends)
    return one if one.kind != "choice" else Parameter(**{**vars(one), "values": checked})
