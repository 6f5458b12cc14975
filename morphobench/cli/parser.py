"""The command line, made from the fields of the commands' options.

This page over argparse stands in place of tyro, cyclopts or jsonargparse. Tried with two nested dataclasses,
each of those takes several times as long to start as argparse, names flags by the nested path
(``--training.epochs`` for ``--epochs``), and words errors in its own form, over several lines.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

import morphobench
from morphobench._util.options import OptionField, Options, convert, find_option, option_fields
from morphobench._util.text import did_you_mean
from morphobench._util.toml import read_toml
from morphobench.errors import InputError

PROGRAM = "morphobench"
_EXIT_CODES = (
    "exit codes: 0 done; 1 a comparison or check failed; 2 bad usage or bad input; 130 or 143 interrupted"
)
_METAVARS = {int: "N", float: "X", Path: "FILE"}


@dataclass(frozen=True)
class Command:
    """One command: its name, its options, and the function that does it.

    Attributes:
        name: As typed.
        summary: One line for the list of commands; a whole phrase without a full stop.
        options: Class of its options; the parser is made from its fields.
        function: Does the work with the options; returns the exit code, or None for 0.
        example: A command line that does something useful.
    """

    name: str
    summary: str
    options: type[Options]
    function: Callable[[Any], int | None]
    example: str


class _Parser(argparse.ArgumentParser):
    """Parser whose options are added when it is used: help of one command needs not all commands."""

    def __init__(self, *args: Any, command: Command | None = None, **kwargs: Any) -> None:
        kwargs |= {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(*args, **kwargs)
        self.command = command

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse; adds the command's options first, and refuses others with the command's own usage."""
        is_command = self.command is not None
        self._complete()
        found, others = super().parse_known_args(args, namespace)
        if is_command and others:
            flags = [text.partition("=")[0] for text in others if text.startswith("-")]
            known = [flag for flag in self._option_string_actions if flag.startswith("--")]
            self.error(f"unrecognized arguments: {' '.join(others)}{did_you_mean(flags[:1], known)}")
        return found, others

    def format_help(self) -> str:
        """As argparse; adds the command's options first."""
        self._complete()
        return super().format_help()

    def _complete(self) -> None:
        if self.command is not None:
            add_options(self, self.command.options)
            self.usage = " ".join([self.prog, *_positional(self.command.options), "[options]"])
            self.command = None

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error; exit with 2."""
        self.print_usage(sys.stderr)
        wrong = re.findall(r"^argument COMMAND: invalid choice: '([^']*)'", message)
        choices = [name for each in self._actions for name in each.choices or ()] if wrong else []
        self.exit(2, f"{PROGRAM}: error: {message}{did_you_mean(wrong, choices)}\n")


def make_parser(commands: Sequence[Command]) -> argparse.ArgumentParser:
    """Make the parser of the whole command line.

    Args:
        commands: The commands, in the order of the help.

    Returns:
        Parser whose result holds the command's name as ``command``, and the texts that were given.
    """
    parser = _Parser(
        prog=PROGRAM,
        description="Which way of learning representations should I use on my cell images, "
        "and what will it cost me?",
        epilog=f"`{PROGRAM} COMMAND --help` explains a command.\n{_EXIT_CODES}",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {morphobench.__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in commands:
        summary = command.summary
        subparsers.add_parser(
            command.name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example:\n  {command.example}\n\n{_EXIT_CODES}",
            command=command,
        )
    return parser


def add_options(parser: argparse.ArgumentParser, cls: type[Options]) -> None:
    """Add an argument for every option of a class, and ``--config`` and ``--set``.

    Args:
        parser: Where to.
        cls: Class of options.
    """
    texts: dict[str, str] = dict(cls.default_texts())
    groups: dict[tuple[str, ...], Any] = {}
    for one in option_fields(cls):
        if one.option.flag is None:
            continue
        path = one.path[:-1]
        if path and path not in groups:
            groups[path] = parser.add_argument_group(f"{' '.join(path)} options")
        _add(groups.get(path, parser), one, texts.get(one.name))
    files = parser.add_argument_group("configuration")
    files.add_argument(
        "--config",
        metavar="FILE.toml",
        default=argparse.SUPPRESS,
        help="take options from this file, such as the config.toml of a run; flags override it",
    )
    files.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=argparse.SUPPRESS,
        help="set an option by its key in such a file, such as training.epochs=3; may be given several times",
    )


def _add(parser: Any, one: OptionField, default: str | None) -> None:
    told, is_list = one.option, get_origin(_bare(one.kind)) is tuple
    common: dict[str, Any] = {"default": argparse.SUPPRESS, "help": _help(one, default)}
    if told.flag == "":
        parser.add_argument(one.name, metavar=told.metavar, nargs="*" if is_list else "?", **common)
    elif one.kind is bool:
        parser.add_argument(told.flag, dest=one.name, action="store_const", const=True, **common)
    else:
        action = "append" if is_list else "store"
        parser.add_argument(told.flag, dest=one.name, action=action, metavar=_metavar(one), **common)
    if told.off is not None:
        off = {**common, "help": f"as {told.flag} with an empty list"}
        parser.add_argument(told.off, dest=one.name, action="store_const", const=(), **off)


def _positional(cls: type[Options]) -> list[str]:
    return [
        f"{one.option.metavar}{' ...' if get_origin(_bare(one.kind)) is tuple else ''}"
        for one in option_fields(cls)
        if one.option.flag == ""
    ]


def _bare(kind: Any) -> Any:
    """The type without ``| None``."""
    left = [each for each in get_args(kind) if each is not type(None)]
    return left[0] if len(left) == 1 and get_origin(kind) is not tuple else kind


def _metavar(one: OptionField) -> str:
    kind = _bare(one.kind)
    choices = one.option.choices or (get_args(kind) if get_origin(kind) is Literal else ())
    if one.option.metavar is not None:
        return one.option.metavar
    return f"{{{','.join(choices)}}}" if choices else _METAVARS.get(kind, one.name.upper())


def _help(one: OptionField, default: str | None) -> str:
    told = one.option
    text = default if default is not None else told.default_text
    if text is None and isinstance(one.default, tuple) and one.default:
        text = ",".join(map(str, one.default))
    elif text is None and one.default is MISSING and told.flag:
        return f"{told.help} (required)".replace("%", "%%")
    elif text is None and not isinstance(one.default, bool | tuple | None) and one.default is not MISSING:
        text = f"{one.default}{' ' if told.unit else ''}{told.unit}"
    return f"{told.help}{'' if text is None else f' (default: {text})'}".replace("%", "%%")


def given_options(cls: type[Options], texts: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the options that users gave: those of ``--config``, over them ``--set``, over them flags.

    Args:
        cls: Class of the command's options.
        texts: What argparse found.

    Returns:
        Values by field name.

    Raises:
        InputError: An unknown key, or a value that is not allowed.
    """
    given: dict[str, Any] = {}
    if "config" in texts:
        file = Path(texts["config"])
        for key, value in _leaves(read_toml(file), ""):
            one = find_option(cls, key, source=str(file))
            made = convert(one, value, label=f"{file}: {key}")
            # A path in a file is relative to that file, so that the folder can be moved with what it names.
            given[one.name] = file.parent / made if isinstance(made, Path) else made
    for text in texts.get("set", ()):
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set must be KEY=VALUE, got {text!r}")
        one = find_option(cls, key.strip(), source="--set")
        given[one.name] = convert(one, value.strip(), label=f"--set {key.strip()}")
    for one in option_fields(cls):
        if one.name not in texts or (texts[one.name] == [] and not one.option.flag):
            continue
        if one.option.flag and texts[one.name] in ([], [[]]):  # what argparse makes of --flag=--
            raise InputError(f"{one.label} must have a value, got '--'")
        given[one.name] = convert(one, texts[one.name], label=one.label)
    return given


def _leaves(content: Mapping[str, Any], lead: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in content.items():
        found += _leaves(value, f"{lead}{key}.") if isinstance(value, Mapping) else [(f"{lead}{key}", value)]
    return found
