"""The helper threads: any number of callers at once, a forked process, a signal."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from morphobench.augment import MultiCrop

IMAGES = np.random.default_rng(0).integers(0, 256, (150, 1, 40, 40), dtype=np.uint8)
IDS = np.arange(len(IMAGES))


def test_many_callers_at_once_get_their_own_views() -> None:
    alone = [MultiCrop("aug_multi_crop", size_px=24, threads=1)(IMAGES, IDS, epoch) for epoch in range(8)]

    def views(call: int) -> bool:
        crops = MultiCrop("aug_multi_crop", size_px=24, threads=1 + call % 5)
        return np.array_equal(crops(IMAGES, IDS, call % 8), alone[call % 8])

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(views, range(120)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    crops = MultiCrop("aug_multi_crop", size_px=24, threads=3)
    ours = crops(IMAGES, IDS, 0)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(crops(IMAGES, IDS, 0), ours) else 1)
    for _ in range(600):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the forked process did not end in 30 seconds")
    assert os.waitstatus_to_exitcode(status) == 0
    assert np.array_equal(crops(IMAGES, IDS, 0), ours)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system has no signal masks")
def test_helper_threads_leave_the_callers_signals_alone() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    MultiCrop("aug_multi_crop", size_px=24, threads=7)(IMAGES, IDS, 0)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
