"""How far a run is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class RunProgress:
    """Shows steps out of ``total`` and what is being done now, on stderr; a context manager."""

    def __init__(self, total: int, *, done: int = 0, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._total, self._done = total, done
        self._name = ""
        self._started = time.monotonic()
        self._bar: Progress | None = None
        if self._console.is_terminal and not quiet:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task("starting", total=total, completed=done)

    def __enter__(self) -> RunProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, name: str) -> None:
        """``name`` is being done now."""
        self._name, self._started = name, time.monotonic()
        self._describe("starting")

    def message(self, message: Mapping[str, Any]) -> None:
        """A message from the process that works: its stage."""
        self._describe(str(message.get("stage", "")))

    def end(self, outcome: str = "done") -> None:
        """What ``begin`` named is over."""
        self._done += 1
        seconds = time.monotonic() - self._started
        self._console.print(
            f"[{self._done}/{self._total}] {self._name}: {outcome} in {seconds:.1f} s",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        if self._bar is not None:
            self._bar.advance(self._task)

    def note(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _describe(self, stage: str) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=f"{self._name}: {stage}")
