"""The interface of an engine, and how a job runs on whichever machine it was sent to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from morphobench.errors import MorphobenchError
from morphobench.measure import run_isolated

OnMessage = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Work:
    """One job.

    Attributes:
        name: Name in messages and of the job's files, unique within a run.
        target: Function that does it, ``"package.module:function"``; it leaves its results in files.
        kwargs: Its arguments; they travel by pickle.
    """

    name: str
    target: str
    kwargs: Mapping[str, Any]


@dataclass(frozen=True)
class Finished:
    """A job that has ended.

    Attributes:
        work: The job.
        value: What the function returned; None after an error.
        error: Why it failed; None after success.
        details: Traceback of the error, where there is one.
    """

    work: Work
    value: Any = None
    error: str | None = None
    details: str = ""


class Engine(Protocol):
    """Does jobs somewhere."""

    def run(self, jobs: Sequence[Work], *, on_message: OnMessage) -> Iterator[Finished]:
        """Do jobs; when the iteration is left early (Ctrl-C), stop those that were started.

        Args:
            jobs: The jobs.
            on_message: Receives a job's name and what it reports of its progress, where the engine can tell.

        Yields:
            Every job once, in the order in which they end.
        """


def do(work: Work, *, on_message: OnMessage | None = None) -> Finished:
    """Do a job in a process of its own, so that its peak of memory is its own.

    Args:
        work: The job.
        on_message: As of `Engine.run`.

    Returns:
        How it ended; a failure of the job is no exception here.
    """
    tell = None if on_message is None else lambda message: on_message(work.name, message)
    try:
        return Finished(work, run_isolated(work.target, work.kwargs, on_message=tell).value)
    except MorphobenchError as error:  # bad input and failed checks of the job among them
        return Finished(work, error=str(error), details=getattr(error, "details", ""))
