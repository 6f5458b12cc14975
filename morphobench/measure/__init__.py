"""Measuring: time in interleaved rounds, host and device memory, and a process of its own for each thing."""

from __future__ import annotations

from morphobench.measure.isolation import IsolatedError, IsolatedResult, report, run_isolated
from morphobench.measure.memory import (
    DeviceMemory,
    current_host_memory_bytes,
    peak_device_memory,
    peak_host_memory_bytes,
    reset_peak_host_memory,
)
from morphobench.measure.remote import Remote
from morphobench.measure.timing import Timings, interleaved, mad, median

__all__ = [
    "DeviceMemory",
    "IsolatedError",
    "IsolatedResult",
    "Remote",
    "Timings",
    "current_host_memory_bytes",
    "interleaved",
    "mad",
    "median",
    "peak_device_memory",
    "peak_host_memory_bytes",
    "report",
    "reset_peak_host_memory",
    "run_isolated",
]
