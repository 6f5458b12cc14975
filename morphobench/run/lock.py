"""The lock of a run's folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from morphobench.errors import InputError
from morphobench.run.folder import LOCK


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep two runs out of one folder; the system drops the lock when the process ends, however it ends.

    Args:
        out: The folder.

    Yields:
        Nothing; the folder is locked meanwhile.

    Raises:
        InputError: Another run is at work there.
    """
    descriptor = os.open(out / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"OUT must be a folder in which no run is at work, but one is at work in {out}"
            ) from None
        yield
    finally:
        os.close(descriptor)
