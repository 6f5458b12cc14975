"""vl-convert in a process of its own.

Its calls hold Python's lock, the first of them for seconds, and no signal is heard meanwhile.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from typing import Any

from morphobench.errors import CheckError

_PROGRAM = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the one that waits decides
import vl_convert
for line in sys.stdin.buffer:
    name, arguments = json.loads(line)
    try:
        made, failed = getattr(vl_convert, name)(**arguments), 0
    except Exception as error:
        made, failed = f"{type(error).__name__}: {error}".partition("\\n")[0], 1
    made = made.encode() if isinstance(made, str) else made
    sys.stdout.buffer.write(bytes([failed]) + len(made).to_bytes(8, "big") + made)
    sys.stdout.buffer.flush()
"""


def available() -> bool:
    """Tell whether figures can be drawn.

    Returns:
        Whether the package vl-convert-python is installed.
    """
    return find_spec("vl_convert") is not None


def convert(name: str, **arguments: Any) -> bytes:
    """Call a function of vl-convert; a signal ends the call at once.

    Args:
        name: the function, such as "vegalite_to_svg".
        arguments: its arguments, as JSON types.

    Returns:
        What it returned; text as UTF-8.

    Raises:
        CheckError: where it failed.
    """
    converter = _converter(os.getpid())
    try:
        failed, made = converter.call(name, arguments)
    except BaseException:
        converter.end()  # an answer that nobody reads would be taken for that of the next call
        _converter.cache_clear()
        raise
    if failed:
        raise CheckError(f"{name} must draw the figure, got {made.decode()}")
    return made


class _Converter:
    """The process; it ends when its stdin does, with this one at the latest."""

    def __init__(self) -> None:
        variables = {**os.environ, "PYTHONSAFEPATH": "1"}  # nothing is imported from the current folder
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=variables,
        )

    def call(self, name: str, arguments: dict[str, Any]) -> tuple[int, bytes]:
        """Whether it failed, and what it returned or said."""
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise TypeError("the process must have pipes")
        requests.write(json.dumps([name, arguments]).encode() + b"\n")
        requests.flush()
        head = answers.read(9)
        if len(head) < 9:
            raise CheckError(f"vl-convert must answer, but it ended with code {self._process.wait()}")
        return head[0], answers.read(int.from_bytes(head[1:], "big"))

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what could not be written any more
                    pipe.close()


@cache
def _converter(parent: int) -> _Converter:
    """The converter of this process; a fork of it makes its own."""
    one = _Converter()
    atexit.register(lambda: one.end() if os.getpid() == parent else None)
    return one
