"""The server from which processes are forked: what it loads, and what it finds when it starts."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from typing import Any

from morphobench._util.cpu import waiting_without_spinning

PRELOADED = ("torch", "torch._dynamo", "numpy", "pandas")
"""What the server has loaded before it forks; the same for every process. Optimizers load torch._dynamo."""


def forking_context() -> ForkServerContext:
    """Multiprocessing whose processes are forked from the server.

    Returns:
        The context; what the server loads is set.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def start_server(*, ignored: Sequence[int]) -> None:
    """Start the server of processes, if it does not run yet, such that it ignores some signals.

    So it outlives a signal that is sent to all processes at once. The processes that it makes ignore the same
    signals, except SIGTERM, which ends them.

    Args:
        ignored: Numbers of the signals.
    """
    forking_context()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    try:
        with as_server_starts():
            forkserver.ensure_running()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def as_server_starts() -> Iterator[None]:
    """Within the block this process is as the server and the processes forked from it shall find it."""
    with _hidden_main(), _variables_of_workers(), _interrupts_wait():
        yield


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C back, so that the server starts with it blocked.

    Otherwise a server that is still loading torch would end with a traceback on the terminal.
    """
    resource_tracker.ensure_running()  # started by the server's start, it would let SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _variables_of_workers() -> Iterator[None]:
    """Set what the server of processes shall find in its environment, and take it back afterwards."""
    # no module of the current folder is preloaded: a torch.py there must never run
    wanted = {"PYTHONSAFEPATH": "1", **waiting_without_spinning()}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
