"""Checks of an installation and its machine: what was found, whether it is well, and what to do otherwise."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

import morphobench
from morphobench import _core
from morphobench._util.cpu import available_cores, cpu_model
from morphobench.measure import free_host_memory_bytes
from morphobench.run.checks.self_test import self_test

Part = Literal["all", "views"]
State = Literal["ok", "note", "problem"]

_LEAST_MEMORY_BYTES = 4 << 30
_LEAST_FREE_BYTES = 5 << 30
_LEAST_READ_MB_S = 50.0  # a store of 64 px images is read about as fast as this during training
_DISK_TEST_BYTES = 64 << 20
_REQUIREMENT = re.compile(r"([\w.-]+)\s*>=\s*([\d.]+)")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        state: "ok"; "note": it works, but something is worth knowing; "problem": something will not work.
        found: What was found.
        advice: What to do about it; empty where it is well.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def examine(*, part: Part = "all", folder: Path = Path(), seconds: float = 10.0) -> Iterator[Finding]:
    """Look at the installation and the machine, one thing after the other.

    Args:
        part: "all", or "views" where only ``morphobench.augment`` and ``.evaluation.distances`` are used:
            NumPy is then the only package that must be installed.
        folder: Folder whose disk is measured; a temporary file of 64 MiB is written there.
        seconds: Time for the self-test of the kernels.

    Yields:
        Findings, as soon as each is known.
    """
    yield from _versions(part)
    yield _kernels()
    yield _threads()
    yield _load()
    if part == "all":
        yield _memory()
        yield _gpu()
        yield _disk(folder)
    yield _self_test(seconds)


def _versions(part: Part) -> Iterator[Finding]:
    yield Finding(
        "morphobench", "ok", f"{morphobench.__version__}, Python {platform.python_version()}, {sys.platform}"
    )
    try:
        wanted = [text for text in requires("morphobench") or () if "extra ==" not in text]
    except PackageNotFoundError:
        yield Finding(
            "packages",
            "note",
            "morphobench is not installed, so what it needs is not known",
            "run `pip install --editable .` in the checkout",
        )
        return
    for one in map(_REQUIREMENT.match, wanted):
        if one and (part == "all" or one[1] == "numpy"):
            yield _package(one[1], one[2])


def _package(name: str, least: str) -> Finding:
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, "problem", "not installed", f"run `pip install '{name}>={least}'`")
    if _numbers(found) < _numbers(least):
        return Finding(
            name,
            "problem",
            f"{found}, which is older than {least}",
            f"run `pip install --upgrade '{name}>={least}'`",
        )
    return Finding(name, "ok", found)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0]))


def _kernels() -> Finding:
    build = _core.build_info()
    found = (
        f"{build['simd']} of {', '.join(build['simd_levels'])}, built by {build['compiler']}, {cpu_model()}"
    )
    if build["simd"] != build["simd_levels"][0]:
        return Finding(
            "kernels",
            "note",
            f"{found}; the fastest is not used",
            f"unset MORPHOBENCH_SIMD ({os.environ.get('MORPHOBENCH_SIMD', 'not set')})",
        )
    return Finding("kernels", "ok", found)


def _threads() -> Finding:
    usable, present = available_cores(), os.cpu_count() or 1
    found = f"{usable} of {present} cores may be used"
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) != usable:
        return Finding(
            "threads",
            "note",
            f"{found}; OMP_NUM_THREADS={asked}",
            "unset OMP_NUM_THREADS, or give `--threads`, so that torch and the kernels use the same number",
        )
    return Finding("threads", "ok", found)


def _load() -> Finding:
    if not hasattr(os, "getloadavg"):
        return Finding("load", "note", "this system does not say how busy it is")
    load, cores = os.getloadavg()[0], available_cores()
    if load > 0.5 * cores:
        return Finding(
            "load",
            "note",
            f"{load:.1f} processes ran on {cores} cores in the last minute",
            "times measured now are too long: stop other programs before `cost` or a timed `run`",
        )
    return Finding("load", "ok", f"{load:.1f} processes ran in the last minute")


def _memory() -> Finding:
    free = free_host_memory_bytes()
    found = f"{free / 2**30:.1f} GiB can be used"
    if free < _LEAST_MEMORY_BYTES:
        return Finding(
            "memory", "note", found, "give `run` a smaller --batch-size or --train-images, or close programs"
        )
    return Finding("memory", "ok", found)


def _gpu() -> Finding:
    try:
        import torch
        import torchvision  # noqa: F401  it does not import where it does not match torch
    except Exception as error:
        return Finding(
            "torch",
            "problem",
            f"torch and torchvision do not import: {type(error).__name__}: {error}",
            "install the two in versions that belong together: `pip install --upgrade torch torchvision`",
        )
    if torch.cuda.is_available():
        names = (torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count()))
        found = ", ".join(f"{one.name} ({one.total_memory / 2**30:.0f} GiB)" for one in names)
        return Finding("GPU", "ok", f"{found}; use it by `--device cuda`")
    if Path("/proc/driver/nvidia/version").exists():
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
        return Finding(
            "GPU",
            "problem",
            f"an NVIDIA driver is loaded, but torch ({built}) sees no device",
            "update the driver, install a torch for its CUDA version, or start the container with the GPU",
        )
    return Finding("GPU", "ok", "none; everything runs on the CPU")


def _disk(folder: Path) -> Finding:
    try:
        written, read = _disk_speed(folder)
        stat = os.statvfs(folder)
    except OSError as error:
        return Finding(
            "disk",
            "problem",
            f"{folder}: {error.strerror or error}",
            "give a folder that can be written to with --folder, and free space there",
        )
    free = stat.f_bavail * stat.f_frsize
    found = f"{folder}: {written:.0f} MB/s written, {read:.0f} MB/s read, {free / 2**30:.0f} GiB free"
    advice = []
    if read < _LEAST_READ_MB_S:
        advice.append("copy the store to a local disk: images are read in every epoch")
    if free < _LEAST_FREE_BYTES:
        advice.append("free space: results of the 16 setups take up to 5 GiB")
    return Finding("disk", "note" if advice else "ok", found, "; ".join(advice))


def _disk_speed(folder: Path) -> tuple[float, float]:
    """MB/s of writing and reading one file; what is read comes from the disk where the system allows that."""
    block = os.urandom(1 << 20)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        written = _megabytes_per_second(lambda: _write(file.fileno(), block))
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        return written, _megabytes_per_second(lambda: _read(file.fileno(), len(block)))


def _write(descriptor: int, block: bytes) -> None:
    for _ in range(_DISK_TEST_BYTES // len(block)):
        os.write(descriptor, block)
    os.fsync(descriptor)


def _read(descriptor: int, size: int) -> None:
    while os.read(descriptor, size):
        pass


def _megabytes_per_second(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return _DISK_TEST_BYTES / 1e6 / (time.perf_counter() - start)


def _self_test(seconds: float) -> Finding:
    result = self_test(seconds=seconds)
    if result.failures:
        return Finding(
            "self-test",
            "problem",
            "; ".join(result.failures[:3]),
            "do not use this build: install the package again, and report this at "
            "https://github.com/morphobench/morphobench/issues",
        )
    counts = ", ".join(f"{name} {count}" for name, count in result.cases.items())
    return Finding("self-test", "ok", f"views and distances equal their slow oracles ({counts} cases)")
