"""Commands as forks of one process that has loaded what they load, so that they begin at once.

Run as a program it is that process: each line on stdin, the JSON array of a command's words, the file for
what it says and more variables of its environment, is answered by its process id, and later by its status.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    *("torch", "torch._dynamo", "pandas", "pyarrow.parquet", "safetensors.torch", "sklearn.decomposition"),
    *("morphobench.cli.commands", "morphobench.evaluation", "morphobench.models", "morphobench.run.runner"),
    *("morphobench.data", "morphobench.report.render.html", "morphobench.objectives", "tifffile"),
    *("PIL.Image", "morphobench.cli.external", "morphobench.report.figures.view_gallery"),
)


class CommandServer:
    """The process, and how to talk to it.

    Args:
        work: Folder for its own files.
        environment: Further variables of its environment.
    """

    def __init__(self, work: Path, **environment: str) -> None:
        self._said = work / "said.txt"
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # so that an answer that has come can be seen from outside
        )
        self._answer(120)

    def _answer(self, limit_s: float) -> str:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], limit_s)[0]:
            raise TimeoutError(f"not done within {limit_s} s")
        return self._process.stdout.readline().decode().strip()

    def start(self, arguments: Sequence[object], variables: Mapping[str, str] | None = None) -> int:
        """Start a command, leader of a session of its own; its process id."""
        assert self._process.stdin is not None
        line = json.dumps([list(map(str, arguments)), str(self._said), dict(variables or {})])
        self._process.stdin.write(f"{line}\n".encode())
        return int(self._answer(30))

    def wait(self, limit_s: float) -> tuple[int, str]:
        """Wait for the command that was started last, so many seconds; its exit code and what it said."""
        code = os.waitstatus_to_exitcode(int(self._answer(limit_s)))
        return code, self._said.read_text(errors="replace")

    def run(self, arguments: Sequence[object]) -> tuple[int, str]:
        """Start a command and wait for it; its exit code and what it said."""
        self.start(arguments)
        return self.wait(300)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def _do(arguments: list[str], said: str, variables: dict[str, str]) -> NoReturn:
    from morphobench.cli import main

    os.setsid()
    os.environ.update(variables)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background ignores it
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    try:
        code = main(arguments)
    except KeyboardInterrupt:  # it came when the command was done
        code = 130
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve() -> None:
    """Serve until stdin ends."""
    for name in MODULES:
        import_module(name)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                _do(*json.loads(line))
            finally:
                os._exit(99)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        sys.stdout.write(f"{os.waitpid(child, 0)[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
