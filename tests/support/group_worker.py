"""Run by test_distributed.py under torchrun, and by itself for the one process to compare with."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from morphobench.objectives import create
from morphobench.training import Callback, TrainingOptions, TrainingState, train

SIZE_PX, COUNT = 16, 20


class Die(Callback):
    """The second process dies after its third step."""

    def describe(self) -> dict[str, bool]:
        """Something, so that it acts in every process."""
        return {"die": True}

    def step(self, state: TrainingState) -> None:
        """Kill, where it is time."""
        if state.step == 3 and state.group.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, *paradigms: str) -> None:
    """Train each ``PARADIGM/PROTOCOL``; rank 0 writes the state and what each rank saw is counted."""
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (COUNT, 1, SIZE_PX, SIZE_PX)).astype(np.uint8)
    labels, ids = np.arange(COUNT) % 2, 3 * np.arange(COUNT)
    for name in paradigms:
        paradigm, _, protocol = name.partition("/")
        die = protocol == "die"
        objective = create(paradigm, protocol="corrected-1" if die else protocol, seed=1, size_px=SIZE_PX)
        out = folder / paradigm / protocol
        rank = int(os.environ.get("RANK", "0"))
        result = train(
            objective,
            images=images,
            labels=labels,
            image_ids=ids,
            setting="aug_multi_crop",
            options=TrainingOptions(epochs=2, batch_size=8, size_px=SIZE_PX, checkpoint_dir=out),
            validation=(images[:5], labels[:5], ids[:5]),
            callbacks=[Die()] if die else [],
        )
        tensors = {key: value.float() for key, value in objective.state_dict().items()}
        tensors["losses"] = torch.tensor([record.training["loss"] for record in result.history])
        save_file(tensors, out / f"state-{rank}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
