"""``main``: arguments to a command, errors to one line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from morphobench._util.cpu import waiting_without_spinning
from morphobench._util.text import printable
from morphobench.cli.parser import PROGRAM, Command, given_options, make_parser
from morphobench.cli.registry import COMMANDS
from morphobench.cli.signals import ended_in_time, leave
from morphobench.errors import DamagedFileWarning, MorphobenchError

DONE, CHECK_FAILED, BAD_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
TRACEBACK = "MORPHOBENCH_TRACEBACK"
_LONGEST = 1_900  # characters of an error's line: names and values in it may be of any length


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. With the variable MORPHOBENCH_TRACEBACK set, errors show where they arose.

    Args:
        arguments: Its words; None: those of this process.

    Returns:
        Exit code: 0 done; 1 a comparison or check failed, or something broke; 2 bad usage or bad input; 130
        after Ctrl-C, 143 after SIGTERM.
    """
    os.environ.update(waiting_without_spinning())  # before the command imports torch
    code = _main(arguments)
    if arguments is None and code in (INTERRUPTED, TERMINATED):
        leave(code)
    return code


def _main(arguments: Sequence[str] | None) -> int:
    try:
        with ended_in_time(), _warnings_as_lines():
            command, texts = parse(arguments)
            options = command.options.resolve(**given_options(command.options, texts))
            return command.function(options) or DONE
    except MorphobenchError as error:
        return _failed(error, str(error), error.exit_code)
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except SystemExit as stop:  # SIGTERM, or argparse, which has said why
        return stop.code if isinstance(stop.code, int) else BAD_INPUT
    except BrokenPipeError:
        # The reader has seen enough (`| head`). Nothing may be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return _failed(error, f"{name}{error.strerror or error}", BAD_INPUT)
    except Exception as error:  # whatever else breaks is one line as well; the variable shows the rest
        return _failed(error, f"{type(error).__name__}: {error} ({TRACEBACK}=1 shows where)", CHECK_FAILED)


def parse(arguments: Sequence[str] | None = None) -> tuple[Command, dict[str, Any]]:
    """Find the command, and the texts of the options that were given.

    Args:
        arguments: Words of the command line; None: those of this process.

    Returns:
        The command, and what argparse found by name of the option.
    """
    texts = vars(make_parser(COMMANDS).parse_args(arguments))
    name = texts.pop("command")
    return next(one for one in COMMANDS if one.name == name), texts


def _failed(error: BaseException, message: str, code: int) -> int:
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    line = printable(message[:_LONGEST]).replace("\n", " ") + ("..." if len(message) > _LONGEST else "")
    print(f"{PROGRAM}: error: {line}", file=sys.stderr)  # noqa: T201
    return code


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Our own warnings are one line on stderr, without the place in the code that Python adds."""
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **further: Any) -> None:
        if issubclass(category, DamagedFileWarning):
            print(f"{PROGRAM}: warning: {printable(str(message))}", file=sys.stderr)  # noqa: T201
        else:
            before(message, category, *place, **further)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
