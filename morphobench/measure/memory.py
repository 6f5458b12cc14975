"""Peak memory of this process on the host and on the device."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class DeviceMemory:
    """The device's peaks since the last reset, as PyTorch's allocator counts them."""

    allocated_bytes: int
    reserved_bytes: int


def peak_host_memory_bytes() -> int:
    """The largest resident set this process has had: VmHWM on Linux, ``ru_maxrss`` elsewhere.

    A forked process starts with the size of what it was forked from, which it shares: a setup's own peak
    includes the libraries it runs on.
    """
    value = _status_field("VmHWM")
    if value is not None:
        return value
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024  # macOS counts bytes, others KiB


def current_host_memory_bytes() -> int | None:
    """The resident set now; None where the system does not tell."""
    return _status_field("VmRSS")


def reset_peak_host_memory() -> bool:
    """Start the peak anew from the current size; False where the system cannot (only Linux can)."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def peak_device_memory(device: torch.device | str) -> DeviceMemory | None:
    """PyTorch's peaks on a CUDA ``device``; None for any other kind of device."""
    import torch

    device = torch.device(device)
    if device.type != "cuda":
        return None
    return DeviceMemory(
        allocated_bytes=torch.cuda.max_memory_allocated(device),
        reserved_bytes=torch.cuda.max_memory_reserved(device),
    )


def _status_field(name: str) -> int | None:
    try:
        text = _STATUS.read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None
