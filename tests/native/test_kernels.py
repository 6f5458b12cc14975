"""The kernels alone, in a program of their own: every SIMD level of this machine beside the scalar one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from morphobench import _core

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("dispatch", "views/resample", "views/kernels")


def test_kernels_equal_the_scalar_ones_and_the_sums_of_whole_weights(tmp_path: Path) -> None:
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler on the path: g++ wanted, or one that CXX names")
    program = tmp_path / "check_kernels"
    sources = [
        ROOT / "tests/native/check_kernels.cpp",
        *(path for name in FOLDERS for path in (ROOT / "csrc" / name).rglob("*.cpp")),
    ]
    flags = ("-std=c++17", "-O1", "-ffp-contract=off", f"-I{ROOT}/csrc", "-o", program)
    subprocess.run([compiler, *flags, *sources], check=True)
    result = subprocess.run([program, "1500"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    compared = [line.split(":")[0] for line in result.stdout.splitlines()]
    assert compared == list(_core.build_info()["simd_levels"])  # type: ignore[arg-type]
