"""What the benchmarks share: simulated cells, and a lock-step for the numbers that go into the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from morphobench._util.cpu import OPENBLAS_WAIT

# as in our commands, and before numpy is imported: else its threads spin on when it is another rival's turn
os.environ.setdefault(OPENBLAS_WAIT, "4")

from morphobench.data import simulate
from morphobench.data.store.reader import ImageStore


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    """512 simulated images, the same ones for every benchmark that needs some."""
    folder: Path = tmp_path_factory.mktemp("cells")
    return simulate(folder / "store", images=512, seed=0)
