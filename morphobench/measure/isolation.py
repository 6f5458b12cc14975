"""Functions and objects in processes of their own, so that one's memory never shows in another's.

Processes are forked from a server that has loaded torch and nothing else ("forkserver"): a start costs
milliseconds, and no process sees what another, or the caller, has allocated.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, NoReturn

from morphobench.errors import CheckError, InputError, MorphobenchError
from morphobench.measure.fork_server import as_server_starts, forking_context
from morphobench.measure.memory import peak_host_memory_bytes

_TERMINATION_S = 20.0  # a training step may have to end and be saved first
_channel: Connection | None = None
_at_work: set[int] = set()


class IsolatedError(MorphobenchError):
    """The isolated function failed, or its process died; ``details`` is the traceback in that process."""

    exit_code = 1

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class IsolatedResult:
    """What came of a function in a process of its own.

    Attributes:
        value: what the function returned.
        peak_host_memory_bytes: largest resident memory of the process.
        wall_s: seconds from the start of the process to its end.
    """

    value: Any
    peak_host_memory_bytes: int
    wall_s: float


def run_isolated(
    target: str,
    kwargs: Mapping[str, Any] | None = None,
    *,
    on_message: Callable[[Any], None] | None = None,
    timeout_s: float | None = None,
) -> IsolatedResult:
    """Call a function in a new process and wait for it. Ctrl-C ends the process.

    Args:
        target: the function, as "package.module:function".
        kwargs: its arguments by name; they and the returned value travel by pickle.
        on_message: receives what the function passes to ``report``.
        timeout_s: seconds after which the process is ended; None: never.

    Returns:
        The function's value, and its process's memory and time.

    Raises:
        InputError: for a malformed target, and where the function raised one.
        CheckError: where the function raised one.
        IsolatedError: where the function raised anything else, its process died or took too long.
    """
    _check_target(target)
    context = forking_context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, target, dict(kwargs or {})), daemon=False)
    started = time.perf_counter()
    try:
        _start(process)
        sender.close()
        kind, content = _receive(process, receiver, target, on_message, timeout_s)
        process.join(_TERMINATION_S)
    finally:
        receiver.close()
        _end(process)
    if kind == "error":
        _raise_again(target, content)
    return IsolatedResult(content["value"], content["peak"], time.perf_counter() - started)


class Remote:
    """An object in a process of its own, whose methods are called from here; leaving the block ends both.

    Args:
        target: what makes the object, as "package.module:callable".
        kwargs: its arguments by name; all arguments and values travel by pickle.
        wait: whether to wait until the object is made; else ``ready`` does, before any call.

    Raises:
        InputError: for a malformed target, and where the object raised one. CheckError likewise.
        IsolatedError: where the object raised anything else, or its process died.
    """

    def __init__(self, target: str, kwargs: Mapping[str, Any] | None = None, *, wait: bool = True) -> None:
        _check_target(target)
        context = forking_context()
        self._target = target
        self._connection, theirs = context.Pipe(duplex=True)
        self._process = context.Process(target=_serve_object, args=(theirs, target, dict(kwargs or {})))
        try:
            _start(self._process)
            theirs.close()
            if wait:
                self.ready()
        except BaseException:
            self.close()
            raise

    def ready(self) -> None:
        """Wait until the object is made. Errors are raised as the class describes."""
        self._answer(self._target)

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, method: str, /, **kwargs: Any) -> Any:
        """Call a method of the object and wait for it; some 0.1 ms longer than it takes there.

        Args:
            method: its name.
            **kwargs: its arguments.

        Returns:
            Its value. Errors are raised as the class describes.
        """
        self._connection.send(("call", method, kwargs))
        return self._answer(f"{self._target}.{method}")

    def peak_host_memory_bytes(self) -> int:
        """Ask the object's process for its memory.

        Returns:
            The largest resident memory it has had so far, in bytes.
        """
        self._connection.send(("peak_host_memory_bytes", "", {}))
        return int(self._answer(self._target))

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        if self._process.pid is not None:
            self._process.join(1.0)
        _end(self._process)

    def _answer(self, what: str) -> Any:
        try:
            kind, content = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join(1.0)
            how = _how_it_ended(self._process.exitcode)
            raise IsolatedError(f"{what}: its process ended without a result ({how})") from None
        if kind == "error":
            _raise_again(what, content)
        return content


def report(message: Any) -> None:
    """Send a message to the caller's ``on_message``; does nothing outside an isolated process.

    Args:
        message: anything that can be pickled.
    """
    if _channel is not None:
        _channel.send(("message", message))


def _check_target(target: str) -> None:
    module, colon, function = target.partition(":")
    if not (module and colon and function):
        raise InputError(f"target must be 'package.module:function', got {target!r}")


def _start(process: Any) -> None:
    """Start a process of ``forking_context`` without importing the caller's script in it."""
    with as_server_starts():
        process.start()
    _at_work.add(process.pid)


def processes_at_work() -> int:
    """Count the processes that were started here and have not been ended."""
    return len(_at_work)


def find(target: str) -> Any:
    """Import what a target names.

    Args:
        target: "package.module:name".

    Returns:
        The object of that name.
    """
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _begin_service() -> None:
    """In the new process: leave Ctrl-C to the caller, and end when the caller has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller gets Ctrl-C as well and ends this process
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # the server blocks it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the server may ignore it
    _end_with_parent()


def _describe_error(error: BaseException) -> dict[str, str]:
    """Describe ``error``, which is being handled, for ``_raise_again`` in the caller's process."""
    kind = next((base for base in (InputError, CheckError) if isinstance(error, base)), type(error))
    return {"type": kind.__name__, "message": str(error), "details": traceback.format_exc()}


def _receive(
    process: Any,
    receiver: Connection,
    target: str,
    on_message: Callable[[Any], None] | None,
    timeout_s: float | None,
) -> tuple[str, Any]:
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not wait([receiver, process.sentinel], timeout=left):
            raise IsolatedError(f"{target}: not done within {timeout_s} s; its process was ended")
        # What was sent before the process ended is still in the pipe: look there first.
        if receiver.poll():
            try:
                kind, content = receiver.recv()
            except EOFError:
                kind = "closed"
            if kind in ("value", "error"):
                return kind, content
            if kind == "message":
                if on_message is not None:
                    on_message(content)
                continue
        process.join(_TERMINATION_S)
        raise IsolatedError(
            f"{target}: its process ended without a result ({_how_it_ended(process.exitcode)})"
        )


def _how_it_ended(exitcode: int | None) -> str:
    """Put a process's exit code into words."""
    if exitcode is None:
        return "it closed its connection"
    if exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = str(-exitcode)
    advice = "; perhaps the machine ran out of memory" if name == "SIGKILL" else ""
    return f"killed by {name}{advice}"


def _raise_again(target: str, content: Mapping[str, str]) -> NoReturn:
    """Raise what ``_describe_error`` described."""
    for known in (InputError, CheckError):
        if content["type"] == known.__name__:
            raise known(content["message"])
    raise IsolatedError(f"{target}: {content['type']}: {content['message']}", details=content["details"])


def _end(process: Any) -> None:
    """End the process if it still runs: SIGTERM, and SIGKILL after a while."""
    if process.pid is None:
        return
    pid = process.pid
    try:
        if process.is_alive():
            process.terminate()
            process.join(_TERMINATION_S)
    finally:  # a second Ctrl-C does not wait
        if process.is_alive():
            process.kill()
            process.join()
        process.close()
        _at_work.discard(pid)


def _serve(sender: Connection, target: str, kwargs: dict[str, Any]) -> None:
    """The new process: call the function, send what came out."""
    global _channel
    _begin_service()
    _channel = sender
    try:
        value = find(target)(**kwargs)
        payload = pickle.dumps(("value", {"value": value, "peak": peak_host_memory_bytes()}))
    except BaseException as error:  # everything goes back to the caller, SystemExit included
        payload = pickle.dumps(("error", _describe_error(error)))
    with contextlib.suppress(OSError):  # the caller may have stopped listening
        sender.send_bytes(payload)
        sender.close()


def _serve_object(connection: Connection, target: str, kwargs: dict[str, Any]) -> None:
    """The new process of a Remote: make the object, then answer one request after another."""
    _begin_service()
    served: Any = None
    request: tuple[str, str, dict[str, Any]] = ("make", "", kwargs)
    while True:
        what, method, arguments = request
        try:
            value = None
            if what == "make":
                served = find(target)(**arguments)
            elif what == "call":
                value = getattr(served, method)(**arguments)
            else:
                value = peak_host_memory_bytes()
            payload = pickle.dumps(("value", value))
        except BaseException as error:  # everything goes back to the caller, SystemExit included
            payload = pickle.dumps(("error", _describe_error(error)))
        try:
            connection.send_bytes(payload)
            request = connection.recv()
        except (EOFError, OSError):  # the caller has closed its end
            return


def _end_with_parent() -> None:
    """End this process when the caller is gone, however it went: nobody is left to use the result."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="morphobench-parent-watch", daemon=True).start()
