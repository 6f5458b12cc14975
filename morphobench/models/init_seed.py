"""Initial weights that depend on a seed and a part's name only, not on what was made before."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int, part: str) -> Iterator[None]:
    """Start torch's CPU generator from a seed and a name within the block; afterwards it is as before.

    So an encoder starts from the same weights in every paradigm, whichever heads each one has.

    Args:
        seed: at least 0.
        part: name of what is initialized.

    Yields:
        None: the block runs in between.
    """
    key = np.random.SeedSequence([seed, zlib.crc32(part.encode())])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(key.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        yield
