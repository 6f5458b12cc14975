"""20,000 steps of a tiny setup leave memory, open files and threads as they were after the first 2,000."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from morphobench.objectives import create
from morphobench.setups import PARADIGMS
from morphobench.training import TrainingOptions, train
from morphobench.training.callbacks import Callback
from morphobench.training.results import EpochRecord
from morphobench.training.state import TrainingState

STEPS_PER_EPOCH, EPOCHS, WARM_UP = 100, 50, 5
GROWTH_MIB = 8


def _count(kind: str) -> int:
    return sum(1 for _ in Path("/proc/self", kind).iterdir())


class Watch(Callback):
    """Resident memory, open files and threads after each epoch."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int, int]] = []

    def epoch(self, state: TrainingState, record: EpochRecord) -> None:
        """Look at this process."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        kernel_threads = _count("task")
        self.seen.append(
            (
                pages * 4096 / 2**20,
                _count("fd"),
                kernel_threads + threading.active_count(),
            )
        )


@pytest.mark.slow
@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_5000_steps_each_leave_nothing_behind(paradigm: str, tmp_path: Path) -> None:
    objective, watch = create(paradigm, size_px=16, seed=0), Watch()
    count = 2 * STEPS_PER_EPOCH
    images = np.random.default_rng(0).integers(0, 256, (count, 1, 16, 16)).astype(np.uint8)
    result = train(
        objective,
        images=images,
        labels=np.arange(count) % 2,
        image_ids=np.arange(count),
        setting="aug_one_crop",
        options=TrainingOptions(
            epochs=EPOCHS,
            batch_size=2,
            size_px=16,
            threads=1,
            checkpoint_dir=tmp_path,
            prefetch=True,
            early_stopping="never",
        ),
        callbacks=[watch],
    )
    assert len(result.history) == EPOCHS  # 5,000 steps, and four paradigms
    early, late = watch.seen[WARM_UP], watch.seen[-1]
    sys.stdout.write(
        f"\n{paradigm}: {EPOCHS * STEPS_PER_EPOCH} steps, {early[0]:.0f} MiB to {late[0]:.0f} MiB\n"
    )
    assert late[0] - early[0] < GROWTH_MIB
    assert late[1:] == early[1:]
