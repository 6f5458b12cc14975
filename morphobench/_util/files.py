"""Folders and files that appear whole or not at all, and the checksums that say so later."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

_MARK = ".partial-"
_READ_BYTES = 1 << 20


def sha256_file(path: Path, *, skip_bytes: int = 0) -> str:
    """Hexadecimal SHA-256 of a file's bytes after the first ``skip_bytes``."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(skip_bytes)
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def fsync_path(path: Path) -> None:
    """Make a file's bytes, or a folder's list of names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(destination: Path) -> None:
    """Remove what a killed process left beside ``destination``: folders of ours that nobody locks."""
    for leftover in destination.parent.glob(f".{destination.name}{_MARK}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(leftover, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(leftover)
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def folder_in_place_of(destination: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield an empty sibling folder that becomes ``destination`` when the block ends without an exception.

    With an exception (Ctrl-C too) the sibling is removed and ``destination`` stays as it was. An existing
    folder is replaced only with ``replace``; FileExistsError otherwise. Parents are made. OSError where the
    file system refuses.
    """
    destination = destination.resolve()  # "." and ".." have no name to put beside
    destination.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(destination)
    partial = destination.parent / f".{destination.name}{_MARK}{uuid.uuid4().hex[:12]}"
    partial.mkdir()
    # The lock tells a later run that this folder is in use; the system drops it when the process dies.
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield partial
        for file in partial.iterdir():
            fsync_path(file)
        fsync_path(partial)
        _move_into_place(partial, destination, replace=replace)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def _move_into_place(partial: Path, destination: Path, *, replace: bool) -> None:
    old = destination.parent / f"{partial.name}-old"
    moved = False
    if destination.exists() and any(destination.iterdir()):
        if not replace:
            raise FileExistsError(f"{destination} appeared meanwhile")
        destination.rename(old)
        moved = True
    try:
        partial.rename(destination)
    except BaseException:
        if moved:
            old.rename(destination)
        raise
    fsync_path(destination.parent)
    if moved:
        shutil.rmtree(old, ignore_errors=True)
