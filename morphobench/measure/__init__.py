"""Measuring: conditions, time in interleaved rounds, memory, counters, and processes to measure in."""

from __future__ import annotations

from morphobench.measure.conditions import Conditions, deviating, differences, readings
from morphobench.measure.isolation import IsolatedError, IsolatedResult, Remote, report, run_isolated
from morphobench.measure.memory import (
    DeviceMemory,
    current_host_memory_bytes,
    free_host_memory_bytes,
    heap_profile,
    peak_device_memory,
    peak_host_memory_bytes,
    private_memory_bytes,
    reset_peak_host_memory,
    sampled_private_memory,
)
from morphobench.measure.rounds import RoundPlan, RoundTimes, steppers, time_in_rounds
from morphobench.measure.timing import Estimate, Timings, interleaved, mad, median, median_interval

__all__ = [
    "Conditions",
    "DeviceMemory",
    "Estimate",
    "IsolatedError",
    "IsolatedResult",
    "Remote",
    "RoundPlan",
    "RoundTimes",
    "Timings",
    "current_host_memory_bytes",
    "deviating",
    "differences",
    "free_host_memory_bytes",
    "heap_profile",
    "interleaved",
    "mad",
    "median",
    "median_interval",
    "peak_device_memory",
    "peak_host_memory_bytes",
    "private_memory_bytes",
    "readings",
    "report",
    "reset_peak_host_memory",
    "run_isolated",
    "sampled_private_memory",
    "steppers",
    "time_in_rounds",
]
