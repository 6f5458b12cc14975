"""Signals wait for the end of a step; a second one does not."""

from __future__ import annotations

import signal
import threading

import pytest

from morphobench.training.runtime.signals import deferred_interrupts


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_waits_until_it_is_asked_for(number: signal.Signals, error: type[BaseException]) -> None:
    with deferred_interrupts() as interrupts:
        interrupts.raise_received()
        signal.raise_signal(number)
        assert interrupts.received == number
        with pytest.raises(error) as raised:
            interrupts.raise_received()
    if isinstance(raised.value, SystemExit):
        assert raised.value.code == 143


def test_a_second_signal_does_not_wait() -> None:
    with deferred_interrupts():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_as_before_afterwards_and_in_other_threads() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    with deferred_interrupts():
        assert all(new != old for new, old in zip(map(signal.getsignal, numbers), before, strict=True))
    seen: list[object] = []

    def elsewhere() -> None:
        with deferred_interrupts():
            seen.extend(signal.getsignal(number) for number in numbers)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(number) for number in numbers] == before
