"""Progress of long work: a bar with the time left on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from morphobench._util.text import printable

_INTERVAL_S = 30.0


class Progress:
    """Shows how far a piece of work is and how long the rest takes; a context manager.

    The time left is the time used so far per finished step times the steps that are left.

    Args:
        label: what is being done, such as "reading images".
        total: number of steps.
        done: steps that were done before.
        console: where it is shown (default: stderr).
        quiet: show nothing.
        interval_s: where there is no terminal, at most one line is written in this time.
        estimate: gives the seconds left where they are known better than by counting steps, else None.
    """

    def __init__(
        self,
        label: str,
        total: int,
        *,
        done: int = 0,
        console: Console | None = None,
        quiet: bool = False,
        interval_s: float = _INTERVAL_S,
        estimate: Callable[[], float | None] | None = None,
    ) -> None:
        self._console = Console(stderr=True, quiet=quiet) if console is None else console
        self._label, self._detail, self._total = label, "", total
        self._done = self._first = done
        self._interval_s, self._estimate = interval_s, estimate
        self._began = self._last_line = time.monotonic()
        self._bar: Bar | None = None
        if self._console.is_terminal and not quiet:
            self._bar = Bar(
                TextColumn("{task.fields[text]}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[left]}", markup=False),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=total, completed=done, text=printable(label), left="")

    def __enter__(self) -> Progress:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Show the bar; the time left counts from now."""
        self._began = self._last_line = time.monotonic()
        if self._bar is not None:
            self._bar.start()

    def stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()

    @property
    def is_bar(self) -> bool:
        """Whether a bar is shown; otherwise lines are written."""
        return self._bar is not None

    @property
    def seconds_left(self) -> float | None:
        """Estimated time left in seconds; None while it is not known."""
        better = None if self._estimate is None else self._estimate()
        if better is not None:
            return better
        steps = self._done - self._first
        if steps <= 0:
            return None
        return (time.monotonic() - self._began) / steps * max(self._total - self._done, 0)

    def update(
        self,
        done: int | None = None,
        *,
        total: int | None = None,
        label: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Show another state.

        Args:
            done: number of steps that are done (default: as before).
            total: number of steps (default: as before).
            label: what is being done (default: as before).
            detail: what stands behind the label, such as "epoch 3/50" (default: as before).
        """
        self._done = self._done if done is None else done
        self._total = self._total if total is None else total
        self._label = self._label if label is None else label
        self._detail = self._detail if detail is None else detail
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=self._done,
                total=self._total,
                text=printable(self._text()),
                left=self._time_left(),
            )
        elif time.monotonic() - self._last_line >= self._interval_s:
            left = self._time_left()
            self.print(f"{self._text()}, {self._done}/{self._total}" + (f", {left}" if left else ""))

    def print(self, line: str) -> None:
        """Write a line that stays.

        Args:
            line: the text.
        """
        self._last_line = time.monotonic()
        self._console.print(Text(printable(line)), soft_wrap=True)

    def _text(self) -> str:
        return f"{self._label}: {self._detail}" if self._detail else self._label

    def _time_left(self) -> str:
        seconds = self.seconds_left
        return "" if seconds is None else f"{duration(seconds)} left"


def duration(seconds: float) -> str:
    """Write a time for people to read.

    Args:
        seconds: the time.

    Returns:
        Text such as "8 s", "3 min 20 s" or "2 h 05 min".
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
