"""Compares the kernels of every SIMD level with the scalar ones: ``python tools/check_kernels.py [CASES]``.

Compiles ``tests/native/check_kernels.cpp`` with all of csrc but the bindings, and runs it. The compiler is
g++, or what the environment variable CXX names. Exit code 0: every case is equal; 1: one is not, or it did
not compile.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Not -ffp-contract=fast for the network: without fused sums its results are the same at every level.
FLAGS = ("-std=c++20", "-ffp-contract=off", "-pthread", "-Icsrc")


def check_kernels(
    flags: Sequence[str],
    cases: str = "1000",
    *,
    compiler: str = os.environ.get("CXX", "g++"),
    emulator: Sequence[str] = (),
) -> tuple[int, str]:
    """Compile and run ``cases`` random cases of each kernel.

    Args:
        flags: Arguments of the compiler and the linker beside those that every build needs.
        cases: How many.
        compiler: Its name or path.
        emulator: The program, and its arguments, that runs what was compiled.

    Returns:
        The exit code, and what was printed: a line for each level, best first.
    """
    csrc = ROOT / "csrc"
    sources = [path for path in csrc.rglob("*.cpp") if csrc / "bindings" not in path.parents]
    with tempfile.TemporaryDirectory(prefix="morphobench-kernels-") as folder:

        def compiled(number: int, source: Path) -> subprocess.CompletedProcess[str]:
            command = [compiler, *FLAGS, *flags, "-c", "-o", f"{folder}/{number}.o", source]
            return subprocess.run(command, cwd=ROOT, text=True, check=False)  # noqa: S603

        sources.append(ROOT / "tests" / "native" / "check_kernels.cpp")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            builds = list(pool.map(compiled, range(len(sources)), sources))
        program = Path(folder, "check_kernels")
        link = [compiler, *FLAGS, *flags, "-o", program, *(f"{folder}/{i}.o" for i in range(len(sources)))]
        if any(build.returncode for build in builds) or subprocess.run(link, check=False).returncode:  # noqa: S603
            return 1, ""
        answer = subprocess.run([*emulator, program, cases], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    return answer.returncode, answer.stdout


if __name__ == "__main__":
    code, printed = check_kernels(["-O1"], *sys.argv[1:])
    sys.stdout.write(printed)
    sys.exit(code)
