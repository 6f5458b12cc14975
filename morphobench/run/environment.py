"""What a result was made with and on: versions, commit, processor, threads, device."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import morphobench
from morphobench._util.cpu import available_cores, cpu_model

PACKAGES = (
    "torch",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "faiss-cpu",
    "umap-learn",
    "hdbscan",
    "numba",
)


def environment(*, device: str = "cpu", threads: int | None = None) -> dict[str, Any]:
    """Describe what results are made with and on.

    Args:
        device: Device that torch uses.
        threads: Threads that it uses; None: one per core.

    Returns:
        Versions, commit (None outside a checkout), processor, cores, threads and device, as JSON types.
    """
    return {
        "versions": {
            "morphobench": morphobench.__version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in PACKAGES},
        },
        "commit": commit(),
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "cores": available_cores(),
        "threads": threads if threads is not None else available_cores(),
        "device": device_name(device),
    }


def device_name(device: str) -> str:
    """Name a device.

    Args:
        device: Such as "cpu" or "cuda:0".

    Returns:
        The same, with the accelerator's own name where there is one.
    """
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(torch.device(device))})"


def commit() -> str | None:
    """The commit of the checkout this package runs from, "+changes" appended where files differ from it."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    head = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{head}+changes" if head and changed else head


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
