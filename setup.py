"""Builds the C++ extension ``morphobench._core``; everything else stands in pyproject.toml."""

import os
import sysconfig
from pathlib import Path

import pybind11
from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import setup

ParallelCompile("MORPHOBENCH_BUILD_JOBS", default=0).install()

# -ffp-contract=off: a fused multiply-add rounds once where Pillow's coefficients round twice, which would
# change pixels. The instruction set is chosen at run time, so no -march here.
COMPILE_ARGS = [
    "-O3",
    "-ffp-contract=off",
    "-fno-math-errno",  # errno is not looked at, and square roots can be vectors
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wconversion",
]
# Other people's headers are system headers, so that our warnings are about our code.
for include in (pybind11.get_include(), sysconfig.get_paths()["include"]):
    COMPILE_ARGS += ["-isystem", include]
if os.environ.get("MORPHOBENCH_WERROR") == "1":
    COMPILE_ARGS.append("-Werror")

setup(
    ext_modules=[
        Pybind11Extension(
            "morphobench._core",
            sorted(str(path) for path in Path("csrc").rglob("*.cpp")),
            depends=sorted(str(path) for path in Path("csrc").rglob("*.hpp")),
            include_dirs=["csrc"],
            cxx_std=17,
            extra_compile_args=[*COMPILE_ARGS, *os.environ.get("MORPHOBENCH_CXXFLAGS", "").split()],
            extra_link_args=["-pthread", *os.environ.get("MORPHOBENCH_LDFLAGS", "").split()],
        )
    ]
)
