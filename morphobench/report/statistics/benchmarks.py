"""What a pytest-benchmark file says, one row a benchmark; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from morphobench._util.typed import from_json
from morphobench.errors import InputError
from morphobench.report.statistics.cost import finite


@dataclass(frozen=True)
class BenchmarkRow:
    """One benchmark; NaN for what its ``extra_info`` does not say. Its name says where its time is unstable.

    ``peers``: how many times faster than each peer of the same run; ``iqr_ns``: between the quartiles of the
    rounds; ``rate_per_s``: images, views or pairs per second.
    """

    name: str
    median_ns: float
    iqr_ns: float
    rounds: int
    peers: tuple[tuple[str, float], ...]
    rate_per_s: float
    peak_memory_bytes: float


_FASTER = "times_faster_than_"
_RATES = ("images_per_s", "views_per_second", "pairs_per_second")
_MEMORY = ("peak_host_memory_bytes", "peak_memory_bytes")


@dataclass(frozen=True)
class _Stats:
    median: float
    iqr: float = 0.0
    rounds: int = 1
    data: tuple[float, ...] | None = None


@dataclass(frozen=True)
class _ExtraInfo:
    setup: str | None = None
    relative_time: float | None = None
    relative_time_interval: tuple[float | None, ...] | None = None
    peak_host_memory_bytes: float | None = None
    peak_device_memory_bytes: float | None = None
    conditions: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Benchmark:
    name: str
    stats: _Stats
    extra_info: _ExtraInfo | None = None


@dataclass(frozen=True)
class _Commit:
    id: str | None = None


@dataclass(frozen=True)
class _Machine:
    cpu: dict[str, Any] | None = None


@dataclass(frozen=True)
class _BenchmarkFile:
    benchmarks: tuple[_Benchmark, ...]
    commit_info: _Commit | None = None
    machine_info: _Machine | None = None


def check_benchmarks(content: Mapping[str, Any], *, source: str) -> None:
    """Check the types of what is read of a pytest-benchmark file.

    Args:
        content: the JSON object.
        source: the file, for messages.

    Raises:
        InputError: where a value is of another type, or a time is not above 0; the message names it.
    """
    try:
        found: _BenchmarkFile = from_json(_BenchmarkFile, content)
    except InputError as error:
        raise InputError(f"{source} must be a file of `pytest --benchmark-json`, but {error}") from error
    for number, one in enumerate(found.benchmarks):
        extra = one.extra_info or _ExtraInfo()
        costs = (extra.relative_time, extra.peak_host_memory_bytes, extra.peak_device_memory_bytes)
        for value in (one.stats.median, *(one.stats.data or ()), *costs):
            if value is not None and value <= 0:
                raise InputError(
                    f"{source}: the times and memory of benchmarks[{number}] must be above 0, got {value:g}"
                )


def benchmark_rows(data: Mapping[str, Any]) -> list[BenchmarkRow]:
    """Read the benchmarks of a pytest-benchmark file.

    Args:
        data: The JSON object.

    Returns:
        One row a benchmark, in the order of the file.

    Raises:
        InputError: It is no such file.
    """
    benchmarks = data.get("benchmarks") if isinstance(data, Mapping) else None
    if not isinstance(benchmarks, list):
        raise InputError(
            "benchmarks must be a file of `pytest --benchmark-json`, got one without 'benchmarks'"
        )
    return [_row(benchmark) for benchmark in benchmarks]


def _row(benchmark: Mapping[str, Any]) -> BenchmarkRow:
    try:
        name, stats = str(benchmark["name"]), benchmark["stats"]
        median, iqr, rounds = float(stats["median"]), float(stats["iqr"]), int(stats["rounds"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"benchmarks must have name and stats each, got one without ({error})") from error
    extra = benchmark.get("extra_info") or {}
    unstable = " (unstable)" if extra.get("stable") is False else ""
    return BenchmarkRow(
        name.removeprefix("test_") + unstable,
        median * 1e9,
        iqr * 1e9,
        rounds,
        _peers(extra),
        _first(extra, _RATES),
        _first(extra, _MEMORY),
    )


def _first(extra: Mapping[str, Any], keys: tuple[str, ...]) -> float:
    """The first of ``keys`` that ``extra`` holds; NaN for none."""
    return next((finite(extra[key]) for key in keys if key in extra), float("nan"))


def _peers(extra: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """What ``times_faster_than_NAME`` says; NAME "peer" is the one that ``peer`` names."""
    names = {key: key.removeprefix(_FASTER) for key in extra if key.startswith(_FASTER)}
    named = {key: str(extra.get("peer", name)) if name == "peer" else name for key, name in names.items()}
    return tuple((name, finite(extra[key])) for key, name in named.items())
