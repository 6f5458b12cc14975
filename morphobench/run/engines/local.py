"""Jobs on this machine, one after another, so that none disturbs another's timing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from morphobench.run.engines.base import Finished, OnMessage, Work, do


class LocalEngine:
    """Does jobs here, one at a time."""

    def run(self, jobs: Sequence[Work], *, on_message: OnMessage) -> Iterator[Finished]:
        """Do jobs in their order; see `Engine.run`.

        Args:
            jobs: The jobs.
            on_message: Receives a job's name and its progress.

        Yields:
            Every job when it has ended.
        """
        for work in jobs:
            yield do(work, on_message=on_message)
