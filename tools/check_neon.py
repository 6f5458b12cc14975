"""Compares the NEON kernels with the scalar ones, byte for byte, anywhere: ``python tools/check_neon.py``.

Cross-compiles ``tests/native/check_kernels.cpp`` for 64-bit ARM and runs it, under QEMU where this machine is
none. Debian's packages: g++-aarch64-linux-gnu, qemu-user. Exit code 0: every case equal; 1: one is not, or it
did not compile; 77: a compiler or QEMU is absent.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("dispatch", "views/resample", "views/kernels")
SOURCES = (
    "tests/native/check_kernels.cpp",
    *(str(path) for name in FOLDERS for path in (ROOT / "csrc" / name).rglob("*.cpp")),
)
FLAGS = (
    "-std=c++17",
    "-O2",
    "-ffp-contract=off",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Werror",
    "-Icsrc",
    "-static",
)
ABSENT = 77


def main(cases: str = "3000") -> int:
    """Compile and run ``cases`` random cases of each kernel; the exit code."""
    native = platform.machine() in ("aarch64", "arm64")
    compiler, emulator = ("g++", ()) if native else ("aarch64-linux-gnu-g++", ("qemu-aarch64",))
    for program in (compiler, *emulator):
        if shutil.which(program) is None:
            sys.stderr.write(f"{program} is not installed\n")
            return ABSENT
    with tempfile.TemporaryDirectory(prefix="morphobench-neon-") as folder:
        check = Path(folder, "check_kernels")
        build = subprocess.run([compiler, *FLAGS, "-o", check, *SOURCES], cwd=ROOT, check=False)  # noqa: S603
        if build.returncode:
            return 1
        answer = subprocess.run([*emulator, check, cases], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    sys.stdout.write(answer.stdout)
    return 0 if answer.returncode == 0 and "neon: " in answer.stdout else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
