"""Run in a process of its own: what a short training adds to its memory, and what was expected."""

from __future__ import annotations

import numpy as np
import torch

from morphobench.measure import current_host_memory_bytes, peak_host_memory_bytes, reset_peak_host_memory
from morphobench.objectives import create
from morphobench.training import TrainingOptions, train


def measured(
    *,
    paradigm: str,
    batch_size: int,
    setting: str = "no_aug_one_crop",
    encoder: str = "study",
    threads: int = 2,
) -> dict[str, int]:
    """Bytes: ``added`` to the process by training three batches, ``expected`` by the estimate."""
    torch.set_num_threads(threads)
    count = 3 * batch_size
    images = np.random.default_rng(0).integers(0, 256, (count, 1, 64, 64), dtype=np.uint8)
    objective = create(paradigm, encoder=encoder)
    before = current_host_memory_bytes()
    assert before is not None
    assert reset_peak_host_memory()
    options = TrainingOptions(epochs=1, batch_size=batch_size, threads=threads)
    result = train(
        objective,
        images=images,
        labels=np.arange(count) % 2,
        image_ids=np.arange(count),
        setting=setting,
        options=options,
    )
    assert result.memory_estimate_bytes is not None
    return {"added": peak_host_memory_bytes() - before, "expected": result.memory_estimate_bytes}
