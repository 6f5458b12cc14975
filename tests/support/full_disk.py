"""A disk that is full (or read-only) from the n-th write on, for commands in forks of one process.

Run as a program it is that process: it has loaded what commands load, and each line on stdin, the JSON array
of a command's words and the file for what it says, is answered by the exit code.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    *("torch", "torch._dynamo", "pandas", "pyarrow.parquet", "safetensors.torch", "sklearn.decomposition"),
    *("morphobench.cli.commands", "morphobench.evaluation", "morphobench.models", "morphobench.run.runner"),
    *(
        "morphobench.data",
        "morphobench.report.render.html",
        "morphobench.objectives",
        "tifffile",
        "PIL.Image",
    ),
)
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
    """

    def __init__(self, library: Path, root: Path, work: Path) -> None:
        control = work / "control"
        control.write_bytes(struct.pack("<qqq", NEVER, errno.ENOSPC, 0))
        self._said = work / "said.txt"
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 24)
        self.environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "LD_PRELOAD": str(library),
            "FULL_DISK_ROOT": str(root),
            "FULL_DISK_CONTROL": str(control),
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

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
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([list(map(str, arguments)), str(self._said)]) + "\n")
        self._process.stdin.flush()
        code = os.waitstatus_to_exitcode(int(self._answer()))
        failed = struct.unpack("<qqq", self._control[:])[2]
        self._control[:] = struct.pack("<qqq", NEVER, error, 0)
        return code, self._said.read_text(errors="replace"), failed

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def _serve(arguments: list[str], said: str) -> Any:
    from morphobench.cli import main

    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout = os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w")
    code = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """Serve until stdin ends."""
    for name in MODULES:
        import_module(name)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                _serve(*json.loads(line))
            finally:
                os._exit(99)
        sys.stdout.write(f"{os.waitpid(child, 0)[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
