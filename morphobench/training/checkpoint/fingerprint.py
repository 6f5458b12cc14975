"""What two runs must share for one to go on from the other's checkpoint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from morphobench.training.callbacks.base import Callback
from morphobench.training.data.images import LabelledImages
from morphobench.training.state import TrainingState

_TRAINING_OPTIONS = (
    "epochs",
    "batch_size",
    "accumulate",
    "precision",
    "seed",
    "size_px",
    "early_stopping",
    "data_id",
    "orientation",
    "plate_batches",
)
"""Not the device, the threads and how often a checkpoint is written: with others it is still the same run."""
_SAMPLED_IMAGES = 16


def run_identity(
    state: TrainingState, *, data: LabelledImages, callbacks: Sequence[Callback]
) -> dict[str, Any]:
    """Describe a run: objective and encoder, options, data, and callbacks that change the result.

    Args:
        state: of the training, before its first step.
        data: the training images.
        callbacks: those of the caller.

    Returns:
        Plain JSON types by name.
    """
    described = {
        "setting": state.setting,
        **{
            name if name in ("paradigm", "protocol") else f"objective.{name}": value
            for name, value in state.objective.describe().items()
        },
        **{
            f"callbacks.{type(callback).__name__}": dict(callback.describe())
            for callback in callbacks
            if callback.describe()
        },
        **{name: value for name, value in vars(state.options).items() if name in _TRAINING_OPTIONS},
        "images": list(data.images.shape),
        "images_digest": _digest(data.gather(_sampled_rows(len(data))).tobytes()),
        "image_ids_digest": _digest(data.image_ids.tobytes()),
        "labels_digest": _digest(data.labels.tobytes()),
        **{f"groups_digest.{name}": _digest(codes.tobytes()) for name, codes in data.groups.items()},
    }
    plain: dict[str, Any] = json.loads(json.dumps(described, default=str))
    return plain


def _sampled_rows(images: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.linspace(0, images - 1, num=min(_SAMPLED_IMAGES, images), dtype=np.int64)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()
