"""What a process used beside wall time: CPU time, instructions, cycles, energy; None where not measured."""

from __future__ import annotations

import ctypes
import os
import struct
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

HARDWARE, SOFTWARE = 0, 1
"""Kinds of events of Linux's perf_event_open."""
_CYCLES, _INSTRUCTIONS = 0, 1
_SYSTEM_CALLS = {"x86_64": 298, "aarch64": 241}  # the number of perf_event_open
_INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6
POWERCAP_FOLDER = Path("/sys/class/powercap")


class Counters:
    """Counters of this process and of the threads it starts afterwards: make them before threads are made.

    Args:
        device: what torch computes on, such as "cpu" or "cuda:0"; a CUDA device's energy is counted too.
    """

    def __init__(self, device: str = "cpu") -> None:
        events = {"instructions": _INSTRUCTIONS, "cycles": _CYCLES}
        self._events = {name: open_event(HARDWARE, event) for name, event in events.items()}
        self._packages = _rapl_domains(POWERCAP_FOLDER)
        self._device = _nvml_device(device)

    def read(self) -> dict[str, float | None]:
        """Read all counters; differences of two readings count what happened between them.

        Returns:
            ``cpu_ns`` of all threads, ``instructions`` and ``cycles`` in user mode, ``package_joules`` of
            the processor (all processes' together), ``device_joules``. None for what the machine does not
            count, or does not let this process read.
        """
        found: dict[str, float | None] = {"cpu_ns": time.process_time_ns()}
        found.update({name: read_event(event) for name, event in self._events.items()})
        found["package_joules"] = _rapl_joules(self._packages)
        found["device_joules"] = None
        if self._device is not None:
            library, handle = self._device
            found["device_joules"] = library.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
        return found


def used(before: Mapping[str, float | None], after: Mapping[str, float | None]) -> dict[str, float | None]:
    """Subtract two readings.

    Args:
        before: the earlier one.
        after: the later one.

    Returns:
        What was used between them; None where it was not measured, or a counter has started anew.
    """
    found: dict[str, float | None] = {}
    for name, end in after.items():
        start = before.get(name)
        found[name] = None if start is None or end is None or end < start else end - start
    return found


def open_event(kind: int, event: int) -> int | None:
    """Begin counting an event in this process's user mode, by Linux's perf_event_open.

    Args:
        kind: HARDWARE or SOFTWARE.
        event: its number, as in linux/perf_event.h.

    Returns:
        A file descriptor; None where the system, or its settings, do not allow it.
    """
    number = _SYSTEM_CALLS.get(os.uname().machine) if os.uname().sysname == "Linux" else None
    if number is None:
        return None
    # struct perf_event_attr: type, size, config, period, sample type, read format, flags; the rest 0
    flags = _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR
    attributes = struct.pack("=IIQQQQQ", kind, 64, event, 0, 0, 0, flags).ljust(64, b"\0")
    library = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    descriptor = int(library.syscall(number, buffer, 0, -1, -1, 0))
    return descriptor if descriptor >= 0 else None


def read_event(descriptor: int | None) -> int | None:
    """Read an event's count.

    Args:
        descriptor: what ``open_event`` gave.

    Returns:
        How often it happened since; None for None.
    """
    return None if descriptor is None else int(struct.unpack("=Q", os.read(descriptor, 8))[0])


def _rapl_domains(folder: Path) -> list[Path]:
    """The energy counters of the processor's packages that this process may read."""
    found = sorted(folder.glob("intel-rapl:?/energy_uj"))
    return [path for path in found if os.access(path, os.R_OK)]


def _rapl_joules(files: list[Path]) -> float | None:
    if not files:
        return None
    return sum(int(path.read_text()) for path in files) / 1e6


def _nvml_device(device: str) -> tuple[Any, Any] | None:
    """NVIDIA's management library and its handle of a CUDA device; None without either."""
    if not device.startswith("cuda"):
        return None
    try:
        import torch

        library = import_module("pynvml")
        library.nvmlInit()
        # by its identity: CUDA_VISIBLE_DEVICES renumbers devices for torch only
        identity = f"GPU-{torch.cuda.get_device_properties(torch.device(device)).uuid}"
        handle = library.nvmlDeviceGetHandleByUUID(identity)
        library.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # not installed, not allowed, too old a device: not measured
        return None
    return library, handle
