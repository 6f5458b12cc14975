"""A process of its own for each thing measured, so that one's memory never shows in another's.

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
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from typing import Any, NoReturn

from morphobench.errors import CheckError, InputError, MorphobenchError
from morphobench.measure.memory import peak_host_memory_bytes

PRELOADED = ("torch", "torch._dynamo", "numpy", "pandas")
"""What the server has loaded before it forks; the same for every process. Optimizers load torch._dynamo."""

_TERMINATION_S = 20.0  # a training step may have to end and be saved first
_channel: Connection | None = None


class IsolatedError(MorphobenchError):
    """The isolated function failed, or its process died; ``details`` is the traceback in that process."""

    exit_code = 1

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class IsolatedResult:
    """What an isolated function returned, the largest memory its process had, and how long it took."""

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
    """Call ``target`` ("package.module:function") with ``kwargs`` in a new process and wait for it.

    Arguments and the returned value travel by pickle. ``on_message`` receives what the function passes to
    `report`. An InputError or CheckError of the function is raised here as it is; any other exception, a
    process that died and one that outlasts ``timeout_s`` raise IsolatedError. Ctrl-C ends the process.
    """
    check_target(target)
    context = forking_context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, target, dict(kwargs or {})), daemon=False)
    started = time.perf_counter()
    try:
        start(process)
        sender.close()
        kind, content = _receive(process, receiver, target, on_message, timeout_s)
        process.join(_TERMINATION_S)
    finally:
        receiver.close()
        end(process)
    if kind == "error":
        raise_again(target, content)
    return IsolatedResult(content["value"], content["peak"], time.perf_counter() - started)


def report(message: Any) -> None:
    """Send ``message`` (picklable) to the caller's ``on_message``; outside an isolated process, nothing."""
    if _channel is not None:
        _channel.send(("message", message))


def check_target(target: str) -> None:
    """InputError unless ``target`` has the form "package.module:function"."""
    module, colon, function = target.partition(":")
    if not (module and colon and function):
        raise InputError(f"target: 'package.module:function' wanted, got {target!r}")


def forking_context() -> ForkServerContext:
    """The context whose processes are forked from a server that has loaded ``PRELOADED`` and nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def start(process: Any) -> None:
    """Start a process of ``forking_context`` without importing the caller's script in it."""
    with _hidden_main():
        process.start()


def find(target: str) -> Any:
    """What ``target`` names, imported."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def begin_service() -> None:
    """In the new process: leave Ctrl-C to the caller, and end when the caller has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller gets Ctrl-C as well and ends this process
    _end_with_parent()


def describe_error(error: BaseException) -> dict[str, str]:
    """What ``raise_again`` needs to raise ``error`` in the caller's process; call it while handling it."""
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
            f"{target}: its process ended without a result ({how_it_ended(process.exitcode)})"
        )


def how_it_ended(exitcode: int | None) -> str:
    """A process's exit code in words."""
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


def raise_again(target: str, content: Mapping[str, str]) -> NoReturn:
    """Raise what ``describe_error`` described."""
    for known in (InputError, CheckError):
        if content["type"] == known.__name__:
            raise known(content["message"])
    raise IsolatedError(f"{target}: {content['type']}: {content['message']}", details=content["details"])


def end(process: Any) -> None:
    """End the process if it still runs: SIGTERM, and SIGKILL after a while."""
    if process.pid is None:
        return
    try:
        if process.is_alive():
            process.terminate()
            process.join(_TERMINATION_S)
    finally:  # a second Ctrl-C does not wait
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


@contextlib.contextmanager
def _hidden_main() -> Iterator[None]:
    """Keep multiprocessing from importing the caller's script in the new process, which does not need it.

    Otherwise a script that starts a run without an ``if __name__ == "__main__"`` guard would run twice.
    """
    main = sys.modules["__main__"]
    names = ("__file__", "__spec__")
    saved: dict[str, Any] = {name: main.__dict__[name] for name in names if name in main.__dict__}
    main.__dict__.pop("__file__", None)
    main.__dict__["__spec__"] = None
    try:
        yield
    finally:
        main.__dict__.update(saved)


def _serve(sender: Connection, target: str, kwargs: dict[str, Any]) -> None:
    """The new process: call the function, send what came out."""
    global _channel
    begin_service()
    _channel = sender
    try:
        value = find(target)(**kwargs)
        payload = pickle.dumps(("value", {"value": value, "peak": peak_host_memory_bytes()}))
    except BaseException as error:  # everything goes back to the caller, SystemExit included
        payload = pickle.dumps(("error", describe_error(error)))
    with contextlib.suppress(OSError):  # the caller may have stopped listening
        sender.send_bytes(payload)
        sender.close()


def _end_with_parent() -> None:
    """End this process when the caller is gone, however it went: nobody is left to use the result."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="morphobench-parent-watch", daemon=True).start()
