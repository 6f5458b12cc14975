"""Progress of a run: which setup is being trained, and the time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from morphobench._util.progress import Progress, duration


class RunProgress:
    """Shows how many setups of a run are done and what is being done now, on stderr; a context manager.

    Args:
        total: number of setups and seeds.
        done: how many were done before.
        quiet: show nothing.
    """

    def __init__(self, total: int, *, done: int = 0, quiet: bool = False) -> None:
        self._shown = Progress("starting", total, done=done, quiet=quiet, estimate=self.seconds_left)
        self._total, self._done = total, done
        self._expected: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._name = ""
        self._started = self._counted_from = time.monotonic()

    def __enter__(self) -> RunProgress:
        self._shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.stop()

    def expect(self, seconds: Mapping[str, float]) -> None:
        """Tell what setups are expected to take, for the time left.

        What the setup at hand has taken before is not of it: the timing of all of them.

        Args:
            seconds: time by setup and seed; those that were done before are left out.
        """
        self._expected, self._counted_from = dict(seconds), time.monotonic()

    def seconds_left(self) -> float | None:
        """Estimate the time left; None where nothing is expected.

        The expected times of what is left, and for each as much more as those that are done have taken on the
        average: training is expected, evaluation comes to it.
        """
        if not self._expected:
            return None
        more = [
            self._took[name] - expected for name, expected in self._expected.items() if name in self._took
        ]
        mean = sum(more) / len(more) if more else 0.0
        left = sum(
            max(0.0, expected + mean) for name, expected in self._expected.items() if name not in self._took
        )
        spent = time.monotonic() - self._counted_from if self._name in self._expected else 0.0
        return max(0.0, left - spent)

    def begin(self, name: str) -> None:
        """Show what is being done now.

        Args:
            name: setup and seed.
        """
        self._name, self._started = name, time.monotonic()
        self._counted_from = self._started
        self._shown.update(label=name, detail="starting")

    def message(self, message: Mapping[str, Any]) -> None:
        """Show a message of the worker process.

        Args:
            message: ``stage`` says what it does.
        """
        self._shown.update(detail=str(message.get("stage", "")))

    def end(self, outcome: str = "done") -> None:
        """Count what ``begin`` named as done.

        Args:
            outcome: how it ended.
        """
        self._done += 1
        now = time.monotonic()
        self._took[self._name], seconds = now - self._counted_from, now - self._started
        self._shown.print(f"[{self._done}/{self._total}] {self._name}: {outcome} in {duration(seconds)}")
        self._shown.update(self._done)

    def note(self, text: str) -> None:
        """Write a line that stays.

        Args:
            text: the line.
        """
        self._shown.print(text)
