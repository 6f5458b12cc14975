"""The thread that every feed runs on: how far ahead it works, and all the ways in which it must end."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from morphobench.augment.prefetch import Prefetcher
from morphobench.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "morphobench-views"]


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_items_come_in_order_and_no_further_ahead_than_asked(depth: int) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for item in range(12):
            made.append(item)
            yield item

    taken = []
    for item in Prefetcher(items(), depth=depth):
        assert max(made) < item + depth
        taken.append(item)
    assert taken == list(range(12))
    assert not threads()


def test_an_error_is_raised_where_its_item_would_have_been() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise InputError("images: unreadable")

    ahead = Prefetcher(items())
    assert next(ahead) == 1
    with pytest.raises(InputError, match="unreadable"):
        next(ahead)
    assert list(ahead) == []
    assert not threads()


def test_the_items_are_closed_with_it() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with Prefetcher(items()) as ahead:
        next(ahead)
        assert not closed.is_set()
    assert closed.is_set()
    ahead.close()
    assert list(ahead) == []


def test_dropping_it_ends_the_thread() -> None:
    ahead = Prefetcher(iter(range(10)))
    assert next(ahead) == 0
    assert len(threads()) == 1
    del ahead
    gc.collect()
    assert not threads()


def run(body: str, *, interrupted: bool) -> subprocess.CompletedProcess[str]:
    """A program that says "ready" and then, where ``interrupted``, gets a Ctrl-C."""
    program = textwrap.dedent(body)
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()
        if interrupted:
            process.send_signal(signal.SIGINT)
        said, failed = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    return subprocess.CompletedProcess(program, process.returncode, said, failed)


FEED = """
    import threading, time
    import numpy as np
    from morphobench.augment import MultiCrop, ViewLoader

    def rows():
        number = 0
        while True:
            number += 1
            if number == {slow_from}:
                print("ready", flush=True)
            if number >= {slow_from}:
                time.sleep({sleep})
            yield np.arange(64)

    images = np.zeros((64, 1, 64, 64), np.uint8)
    feed = ViewLoader(MultiCrop("aug_multi_crop"), images, np.arange(64), rows(), epoch=0)
"""


def test_ctrl_c_while_the_consumer_computes() -> None:
    body = FEED.format(slow_from=10**9, sleep=0)
    done = run(
        body
        + """
    try:
        with feed:
            for number, batch in enumerate(feed):
                if number == 3:
                    print("ready", flush=True)
                    time.sleep(60)
    except KeyboardInterrupt:
        print(threading.active_count(), list(feed))
    """,
        interrupted=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 []\n", "")


def test_ctrl_c_while_the_consumer_waits_for_a_batch() -> None:
    body = FEED.format(slow_from=4, sleep=2)
    done = run(
        body
        + """
    try:
        with feed:
            for batch in feed:
                pass
    except KeyboardInterrupt:
        print(threading.active_count())
    """,
        interrupted=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_program_that_never_closes_its_feed_ends_all_the_same(interrupted: bool) -> None:
    """Without ``with``: at Ctrl-C, and at the end of the program while the thread is in the extension."""
    body = FEED.format(slow_from=10**9, sleep=0)
    done = run(
        body
        + f"""
    next(feed)
    print("ready", flush=True)
    time.sleep({60 if interrupted else 0})
    """,
        interrupted=interrupted,
    )
    assert done.returncode == (-signal.SIGINT if interrupted else 0)
    assert ("KeyboardInterrupt" in done.stderr) is interrupted
    assert "Fatal" not in done.stderr


@pytest.mark.parametrize("prefetch", [True, False])
def test_ctrl_c_in_training_ends_its_feed(prefetch: bool) -> None:
    done = run(
        f"""
    import threading
    import numpy as np
    from morphobench.objectives import create
    from morphobench.training import Callback, TrainingOptions, train

    class Ready(Callback):
        def step(self, state):
            if state.step == 3:
                print("ready", flush=True)

    images = np.random.default_rng(0).integers(0, 256, (64, 1, 64, 64), dtype=np.uint8)
    try:
        train(
            create("unsupervised"),
            images=images,
            labels=np.arange(64) % 2,
            image_ids=np.arange(64),
            setting="aug_multi_crop",
            options=TrainingOptions(epochs=10**6, batch_size=8, prefetch={prefetch}, threads=1),
            callbacks=[Ready()],
        )
    except KeyboardInterrupt:
        print([thread.name for thread in threading.enumerate() if "morphobench" in thread.name])
    """,
        interrupted=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
