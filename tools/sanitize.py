"""Builds the extension under the sanitizers and fuzzes it: ``python tools/sanitize.py [address] [thread]``.

``fuzz`` in their place, with the arguments of ``tools/fuzz.py``, calls the extension as it is.

``address`` stands for the Address and the Undefined Behaviour Sanitizer together, ``thread`` for the Thread
Sanitizer; both by default. The kernels alone go first (tests/native), then the bindings. Works in a copy of
the tree, so that no instrumented extension stays behind. Needs GCC or Clang with its sanitizer libraries.
Ends with the exit code of the first run that failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from check_kernels import check_kernels

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("csrc", "morphobench", "tests", "setup.py", "pyproject.toml", "README.md", "LICENSE")
TESTS = (
    "tests/augment/test_fuzz.py",
    "tests/augment/test_errors.py",
    "tests/augment/test_random.py",
    "tests/native/test_simd.py",
    "tests/native/test_bindings.py",
)
# At -O1 sums come out alike at every level, by which that test tells levels apart.
LEFT_OUT = "tests/native/test_simd.py::test_the_environment_variable_governs_every_family"
FLAGS = {"address": "-fsanitize=address,undefined -fno-sanitize-recover=all", "thread": "-fsanitize=thread"}
LIBRARIES = {"address": ("libasan.so", "libubsan.so"), "thread": ("libtsan.so",)}
# Python keeps memory to its end, which is no leak of ours.
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1", "MORPHOBENCH_BUILD_JOBS": "2"}


def library(name: str) -> str:
    """The path of a sanitizer's library, which must be loaded before Python itself."""
    compiler = os.environ.get("CXX", "g++")
    answer = subprocess.run(  # noqa: S603
        [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(answer).is_file():
        raise SystemExit(f"{compiler}: the compiler must have {name}, got none")
    return answer


def run(sanitizer: str, work: Path) -> int:
    """Build and fuzz under one sanitizer in ``work``; the exit code."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            ignore = shutil.ignore_patterns("*.so", "__pycache__", "build")
            shutil.copytree(source, work / part, ignore=ignore)
        else:
            shutil.copy(source, work / part)
    flags = f"{FLAGS[sanitizer]} -O1 -g -fno-omit-frame-pointer"
    code, printed = check_kernels(flags.split())
    sys.stdout.write(printed)
    if code:
        return code
    environment = {**os.environ, **OPTIONS, "MORPHOBENCH_CXXFLAGS": flags}
    environment["MORPHOBENCH_LDFLAGS"] = FLAGS[sanitizer]
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    built = subprocess.run(build, cwd=work, env=environment, check=False)  # noqa: S603
    if built.returncode:
        return built.returncode
    environment["LD_PRELOAD"] = " ".join(library(name) for name in LIBRARIES[sanitizer])
    quiet = ("-q", "-p", "no:cacheprovider", f"--deselect={LEFT_OUT}")
    test = [sys.executable, "-m", "pytest", *quiet, *TESTS]
    return subprocess.run(test, cwd=work, env=environment, check=False).returncode  # noqa: S603


def main(sanitizers: list[str]) -> int:
    """Every sanitizer asked for, or both; or the calls of tools/fuzz.py."""
    if sanitizers[:1] == ["fuzz"]:
        fuzz = [sys.executable, str(ROOT / "tools" / "fuzz.py"), *sanitizers[1:]]
        return subprocess.run(fuzz, check=False).returncode  # noqa: S603
    for sanitizer in sanitizers or list(FLAGS):
        if sanitizer not in FLAGS:
            raise SystemExit(f"sanitizer must be one of {', '.join(FLAGS)}, got {sanitizer!r}")
        with tempfile.TemporaryDirectory(prefix="morphobench-sanitize-") as work:
            code = run(sanitizer, Path(work))
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
