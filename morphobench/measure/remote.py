"""An object in a process of its own, whose methods are called from here, one at a time.

What a call takes here is what it takes there plus some 0.1 ms, so that a benchmark in this process times work
whose memory is counted in that one.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from morphobench.measure.isolation import (
    IsolatedError,
    begin_service,
    check_target,
    describe_error,
    end,
    find,
    forking_context,
    how_it_ended,
    raise_again,
    start,
)
from morphobench.measure.memory import peak_host_memory_bytes


class Remote:
    """What ``target`` ("package.module:callable") returns, kept in a new process; a context manager.

    ``remote.call("method", **kwargs)`` calls a method there and returns its value (by pickle). Errors come
    back as from ``run_isolated``. Leaving the block ends the process.
    """

    def __init__(self, target: str, kwargs: Mapping[str, Any] | None = None) -> None:
        check_target(target)
        context = forking_context()
        self._target = target
        self._connection, theirs = context.Pipe(duplex=True)
        self._process = context.Process(target=_serve_object, args=(theirs, target, dict(kwargs or {})))
        try:
            start(self._process)
            theirs.close()
            self._answer(target)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, method: str, /, **kwargs: Any) -> Any:
        """Call ``method`` of the object with ``kwargs``; its value."""
        self._connection.send((method, kwargs))
        return self._answer(f"{self._target}.{method}")

    def peak_host_memory_bytes(self) -> int:
        """The largest memory the object's process has had so far."""
        return int(self.call(""))

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        if self._process.pid is not None:
            self._process.join(1.0)
        end(self._process)

    def _answer(self, what: str) -> Any:
        try:
            kind, content = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join(1.0)
            how = how_it_ended(self._process.exitcode)
            raise IsolatedError(f"{what}: its process ended without a result ({how})") from None
        if kind == "error":
            raise_again(what, content)
        return content


def _serve_object(connection: Connection, target: str, kwargs: dict[str, Any]) -> None:
    begin_service()
    served: Any = None
    call: tuple[str, dict[str, Any]] | None = None
    while True:
        try:
            if call is None:
                served, value = find(target)(**kwargs), None
            elif call[0]:
                value = getattr(served, call[0])(**call[1])
            else:
                value = peak_host_memory_bytes()
            payload = pickle.dumps(("value", value))
        except BaseException as error:  # everything goes back to the caller, SystemExit included
            payload = pickle.dumps(("error", describe_error(error)))
        try:
            connection.send_bytes(payload)
            call = connection.recv()
        except (EOFError, ConnectionError):
            return
