"""Run by test_kill.py as a process of its own: starts trainings as forks of itself, so that torch loads once.

Each line on stdin, ``PARADIGM PROTOCOL FOLDER SECONDS``, starts one training there, kills it with SIGKILL
after so many seconds (``never``: not at all), and is answered by its exit status. The server trains nothing
itself, so that no thread exists when it forks.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from morphobench.objectives import create
from morphobench.setups import PARADIGMS
from morphobench.training import TrainingOptions, train

SIZE_PX, COUNT = 16, 20


def trained(paradigm: str, protocol: str, folder: Path) -> None:
    """Train 3 epochs of 2 batches x 5 views, and leave a digest of the objective's state in ``result``."""
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (COUNT, 1, SIZE_PX, SIZE_PX)).astype(np.uint8)
    labels, ids = np.arange(COUNT) % 2, 3 * np.arange(COUNT)
    objective = create(paradigm, protocol=protocol, seed=1, size_px=SIZE_PX)
    options = TrainingOptions(
        epochs=3,
        batch_size=8,
        size_px=SIZE_PX,
        threads=1,
        checkpoint_dir=folder,
        checkpoint_every_steps=2,
        early_stopping="never",
    )
    validation = (images[:5], labels[:5], ids[:5])
    train(
        objective,
        images=images,
        labels=labels,
        image_ids=ids,
        setting="aug_multi_crop",
        options=options,
        validation=validation,
    )
    digest = hashlib.sha256()
    for name, tensor in sorted(objective.state_dict().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    (folder / "result").write_text(digest.hexdigest())


def main() -> None:
    """Serve until stdin ends."""
    import_module("torch._dynamo")  # what optimizers import when first made, here once for all
    for paradigm in PARADIGMS:
        create(paradigm, size_px=SIZE_PX)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        paradigm, protocol, folder, seconds = line.split()
        child = os.fork()
        if child == 0:
            try:
                trained(paradigm, protocol, Path(folder))
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        if seconds != "never":
            time.sleep(float(seconds))
            os.kill(child, signal.SIGKILL)  # one that has ended is still ours: nobody has waited for it yet
        sys.stdout.write(f"{os.waitpid(child, 0)[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
