"""Compares the NEON kernels with the scalar ones, byte for byte: ``python tools/check_neon.py [CASES]``.

Cross-compiles ``tests/native/check_kernels.cpp`` for 64-bit ARM and runs it, under QEMU where this machine is
none. Debian's packages: g++-aarch64-linux-gnu, qemu-user. Exit code 0: every case is equal; 1: one is not, or
it did not compile; 77: a compiler or QEMU is absent.
"""

from __future__ import annotations

import platform
import shutil
import sys

from check_kernels import check_kernels

FLAGS = ("-O2", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-static")
ABSENT = 77


def main(cases: str = "3000") -> int:
    """Compile and run ``cases`` random cases of each kernel; the exit code."""
    native = platform.machine() in ("aarch64", "arm64")
    compiler, emulator = ("g++", ()) if native else ("aarch64-linux-gnu-g++", ("qemu-aarch64",))
    for program in (compiler, *emulator):
        if shutil.which(program) is None:
            sys.stderr.write(f"{program} is not installed\n")
            return ABSENT
    code, printed = check_kernels(FLAGS, cases, compiler=compiler, emulator=emulator)
    sys.stdout.write(printed)
    return code or (0 if "neon: " in printed else 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
