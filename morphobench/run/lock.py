"""The lock of a run's folder."""

from __future__ import annotations

import contextlib
import errno
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
        InputError: Another run is at work there, or its lock cannot be a file of this folder.
    """
    try:
        # never through a link, which could make a file elsewhere
        descriptor = os.open(out / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        got = "a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise InputError(f"{out / LOCK} must be a file that can be opened, got: {got}") from error
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
