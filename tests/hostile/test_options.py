"""Absurd values of every option of every command, made from the options' own fields: new ones too."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import MISSING
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

import pytest

from morphobench._util.option_values import LARGEST
from morphobench._util.options import OptionField, option_fields
from morphobench.cli.parser import given_options
from morphobench.cli.program import parse
from morphobench.cli.registry import COMMANDS
from morphobench.errors import InputError
from tests.hostile.conftest import WHOLE, require_explained
from tests.run.conftest import tiny_store
from tests.support.killing import start

NUMBERS = (
    *("0", "-1", "nan", "-nan", "inf", "-inf", "1e30", "1" + "0" * 30, "9" * 5_000, "-" + "9" * 40, "1e400"),
    *(
        "",
        " ",
        "x",
        "0x10",
        "1_000",
        "1,000",
        "1.5",
        "1.5.5",
        "--",
        "\u0661",
        "\x1b[31m",
        "1e-400",
        "1;ls",
        "$(id)",
    ),
)
TEXTS = (
    "",
    " ",
    ",",
    "x" * 100_000,
    "\x1b[31mred\x07",
    "\u202e",
    "../../x",
    "a:b",
    "a\nb",
    "{}",
    "%s%n",
    "\udce4",
)
OPTIONS = [(command, one) for command in COMMANDS for one in option_fields(command.options)]
IDS = [f"{command.name} {one.label}" for command, one in OPTIONS]


def _kinds(kind: Any) -> Iterator[Any]:
    inner = [each for each in get_args(kind) if each not in (NoneType, Ellipsis)]
    if not inner or (
        get_origin(kind) is not None and not isinstance(inner[0], type) and get_origin(inner[0]) is None
    ):
        yield kind
        return
    for each in inner:
        yield from _kinds(each)


def _is_number(one: OptionField) -> bool:
    return one.option.parse is None and any(kind in (int, float) for kind in _kinds(one.kind))


def _require_bounded(value: Any, one: OptionField) -> None:
    """A number that is taken is finite, within its bounds, and one that JSON keeps."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int | float) and not isinstance(number, bool):
            assert math.isfinite(number)
            assert one.option.minimum is None or number >= one.option.minimum
            assert number <= (one.option.maximum or LARGEST)


def _words(command: Any, one: OptionField, text: str) -> list[str]:
    """A command line with that value, and with something where an option is required."""
    words = [command.name]
    for other in option_fields(command.options):
        required = other.option.flag == "" or (other.default is MISSING and other.name != one.name)
        if other.name == one.name and other.option.flag == "":
            words += [text] if not text.startswith("-") else ["--", text]
        elif required and other.name != one.name:
            words += ([other.option.flag] if other.option.flag else []) + [
                "5" if _is_number(other) else "gone"
            ]
    if one.option.flag:
        words.append(f"{one.option.flag}={text}")
    elif one.option.flag is None:
        words.append(f"--set={one.key}={text}")
    return words


@pytest.mark.parametrize(("command", "one"), OPTIONS, ids=IDS)
def test_values_as_texts(
    command: Any, one: OptionField, capsys: pytest.CaptureFixture[str], case: Callable[[str], None]
) -> None:
    """The parser refuses it naming the option, or takes a number within its bounds."""
    for text in NUMBERS if _is_number(one) else TEXTS:
        try:
            given = given_options(command.options, parse(_words(command, one, text))[1])
        except InputError as error:
            said = str(error)
            assert one.label in said or one.key in said
            case("refused")
            continue
        except SystemExit as stop:  # argparse's own refusal
            code = stop.code
            assert code == 2
            case("refused")
            continue
        _require_bounded(given.get(one.name), one)
        if _is_number(one) and text not in ("0", "-1", "1e30", "1.5", "1e-400", "1,000"):
            # digits of other scripts and separators are no numbers here
            assert text == "1" + "0" * 30, f"{text!r} was taken"
        case("right")


VALUES: tuple[Any, ...] = (0, -1, math.nan, math.inf, -math.inf, 1e30, 10**30, -(10**30))


@pytest.mark.parametrize(
    ("command", "one"),
    [each for each in OPTIONS if _is_number(each[1])],
    ids=[name for name, each in zip(IDS, OPTIONS, strict=True) if _is_number(each[1])],
)
def test_values_from_python(command: Any, one: OptionField, case: Callable[[str], None]) -> None:
    """The class refuses a number out of its bounds, whoever makes it."""
    given: dict[str, Any] = {
        other.name: (5 if _is_number(other) else Path("gone"))
        for other in option_fields(command.options)
        if other.default is MISSING
    }
    for value in VALUES:
        try:
            made = command.options.build(**{**given, one.name: (value,) if _is_list(one) else value})
        except InputError as error:
            said = str(error)
            assert one.name in said or one.label in said
            case("refused")
            continue
        holder: Any = made
        for name in one.attributes:
            holder = getattr(holder, name)
        _require_bounded(holder, one)
        case("right")


def _is_list(one: OptionField) -> bool:
    kinds = [one.kind, *get_args(one.kind)]
    return any(get_origin(kind) is tuple for kind in kinds)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_store(tmp_path_factory.mktemp("options") / "store", images=24).path


CHEAP: dict[str, tuple[str, ...]] = {
    "simulate": ("{new}", "--images", "4"),
    "views": ("{store}", "--out", "{new}.png"),
    "audit": ("{store}",),
    "verify": ("{store}",),
}
"""Commands that are done with each bound of each number option; the others train or want a run."""
BOUNDS = [
    (command, one, bound)
    for command, one in OPTIONS
    if command.name in CHEAP and _is_number(one)
    for bound in ("minimum", "maximum")
]


@pytest.mark.skipif(not WHOLE, reason="nox -s hostile does this")
@pytest.mark.parametrize(
    ("command", "one", "bound"), BOUNDS, ids=[f"{c.name} {o.label} {b}" for c, o, b in BOUNDS]
)
def test_the_bounds_themselves_are_done_or_refused(
    command: Any,
    one: OptionField,
    bound: str,
    store: Path,
    tmp_path: Path,
    case: Callable[[str], None],
    request: pytest.FixtureRequest,
) -> None:
    """No value that is allowed takes the machine's memory: a child with 6 GiB of address space at most."""
    value = getattr(one.option, bound)
    if value is None:
        value = LARGEST if bound == "maximum" else 0
    number = int(value) if int in _kinds(one.kind) else float(value)
    words = [text.format(store=store, new=tmp_path / "new") for text in CHEAP[command.name]]
    words = [word for word in words if word != one.option.flag]
    running = start([command.name, *words, f"{one.option.flag}={number}"], limit_gib=6)
    try:
        code, said = running.wait(60)
    finally:
        running.kill("group", random.Random(0))
    require_explained(code, said)
    case("refused" if code else "right")
