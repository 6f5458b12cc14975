"""Fixtures of the tests of ingest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.plates import write_plate


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """12 sites x 5 channels of single-channel TIFFs, with their LoadData table and plate map."""
    return write_plate(tmp_path)
