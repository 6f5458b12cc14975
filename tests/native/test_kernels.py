"""The kernels alone, in a program of their own: every SIMD level of this machine beside the scalar one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.simd import LEVELS

CHECK = Path(__file__).resolve().parents[2] / "tools" / "check_kernels.py"


@pytest.mark.slow  # two minutes of compiling; nox -s sanitize runs the same program too
def test_kernels_equal_the_scalar_ones_and_the_sums_of_whole_weights() -> None:
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("no C++ compiler on the path: g++ or the one that CXX names must be installed")
    result = subprocess.run([sys.executable, CHECK, "1500"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == list(LEVELS)
