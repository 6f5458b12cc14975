"""A disk that is full (or read-only) from the n-th write on."""

from __future__ import annotations

import errno
import mmap
import os
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.command_server import ROOT, CommandServer

NEVER = 2**62


def build(folder: Path) -> Path:
    """Compile the library that makes writes fail.

    Args:
        folder: Where to.

    Returns:
        The library.
    """
    library = folder / "full_disk.so"
    source = ROOT / "tests" / "native" / "full_disk.cpp"
    compiler = os.environ.get("CXX", "g++")
    flags = ("-std=c++17", "-O1", "-shared", "-fPIC", "-w")
    subprocess.run([compiler, *flags, str(source), "-o", str(library), "-ldl"], check=True)
    return library


class FullDisk:
    """Runs commands while writes below a folder fail from the n-th on.

    Args:
        library: What ``build`` made.
        root: The folder whose disk is full.
        work: Folder for its own files, not below ``root``.

    Attributes:
        writes: How many the last command asked for, those that failed included.
    """

    def __init__(self, library: Path, root: Path, work: Path) -> None:
        self.root, self.writes, control = root, 0, work / "control"
        control.write_bytes(struct.pack("<qqq", NEVER, errno.ENOSPC, 0))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 24)
        self._server = CommandServer(
            work,
            LD_PRELOAD=str(library),
            FULL_DISK_ROOT=str(root),
            FULL_DISK_CONTROL=str(control),
        )

    def run(
        self, arguments: Sequence[object], *, after: int = NEVER, error: int = errno.ENOSPC
    ) -> tuple[int, str, int]:
        """Run a command.

        Args:
            arguments: Its words.
            after: Writes that succeed.
            error: How the others fail.

        Returns:
            Exit code, what it said, and how many writes failed.
        """
        self._control[:] = struct.pack("<qqq", after, error, 0)
        code, said = self._server.run(arguments)
        left, _, failed = struct.unpack("<qqq", self._control[:])
        self.writes = after - left
        self._control[:] = struct.pack("<qqq", NEVER, error, 0)
        return code, said, failed

    def close(self) -> None:
        """End the process."""
        self._server.close()
