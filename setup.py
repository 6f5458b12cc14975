"""Builds the C++ extension ``morphobench._core``; everything else stands in pyproject.toml."""

import os
import sysconfig
from pathlib import Path

import pybind11
from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup

ParallelCompile("MORPHOBENCH_BUILD_JOBS", default=0).install()

# -ffp-contract=off: a fused multiply-add rounds once where Pillow's coefficients round twice, which would
# change pixels. The instruction set is chosen at run time, for each function (csrc/dispatch), so no -march.
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
# Sums of products that no reference rounds step by step.
FILE_ARGS = {
    "csrc/network/conv_pool_stem.cpp": ["-ffp-contract=fast"],
    "csrc/network/output_conv.cpp": ["-ffp-contract=fast"],
}
# Other people's headers are system headers, so that our warnings are about our code.
for include in (pybind11.get_include(), sysconfig.get_paths()["include"]):
    COMPILE_ARGS += ["-isystem", include]
if os.environ.get("MORPHOBENCH_WERROR") == "1":
    COMPILE_ARGS.append("-Werror")


class BuildExtension(build_ext):
    """Adds the arguments of single files, which setuptools has no place for."""

    def build_extensions(self) -> None:
        """Build every extension."""
        compile_one = self.compiler._compile

        def compile_with_file_args(obj, src, ext, cc_args, extra_postargs, pp_opts):
            args = [*extra_postargs, *FILE_ARGS.get(Path(src).as_posix(), [])]
            compile_one(obj, src, ext, cc_args, args, pp_opts)

        self.compiler._compile = compile_with_file_args
        super().build_extensions()


setup(
    cmdclass={"build_ext": BuildExtension},
    ext_modules=[
        Pybind11Extension(
            "morphobench._core",
            sorted(str(path) for path in Path("csrc").rglob("*.cpp")),
            depends=sorted(str(path) for path in Path("csrc").rglob("*.hpp")),
            include_dirs=["csrc"],
            cxx_std=20,
            extra_compile_args=[*COMPILE_ARGS, *os.environ.get("MORPHOBENCH_CXXFLAGS", "").split()],
            extra_link_args=["-pthread", *os.environ.get("MORPHOBENCH_LDFLAGS", "").split()],
        )
    ],
)
