"""Memory of this process on the host and on the device, and a profile of what allocated it."""

from __future__ import annotations

import contextlib
import resource
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from morphobench import types
from morphobench._util.extras import load_extra

if TYPE_CHECKING:
    import torch

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class DeviceMemory:
    """The device's peaks since the last reset, as PyTorch's allocator counts them.

    Attributes:
        allocated_bytes: what tensors took.
        reserved_bytes: what the allocator took from the device for them.
    """

    allocated_bytes: int
    reserved_bytes: int


def peak_host_memory_bytes() -> int:
    """Read the largest resident memory that this process has had.

    A forked process starts with the size of what it was forked from, which it shares: a setup's own peak
    includes the libraries it runs on.

    Returns:
        VmHWM on Linux, ``ru_maxrss`` elsewhere, in bytes.
    """
    value = _status_field("VmHWM")
    if value is not None:
        return value
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024  # macOS counts bytes, others KiB


def current_host_memory_bytes() -> int | None:
    """Read the resident memory that this process has now.

    Returns:
        Its size in bytes; None where the system does not tell.
    """
    return _status_field("VmRSS")


def free_host_memory_bytes(*, limits: Path = Path("/sys/fs/cgroup")) -> int:
    """Read how much memory of the host this process can still take.

    Args:
        limits: the folder of what a container or batch system allows (Linux control groups).

    Returns:
        What the system has free, or what the limit leaves where that is less.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((limits / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no such group, or "max": no limit here
        return free
    return min(free, max(0, limit - used))


def reset_peak_host_memory() -> bool:
    """Start the peak of this process anew from its current size.

    Returns:
        Whether that was possible; only Linux can.
    """
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def peak_device_memory(device: torch.device | str) -> DeviceMemory | None:
    """Read the device's peaks.

    Args:
        device: what torch computes on.

    Returns:
        PyTorch's peaks on a CUDA device; None for any other kind of device.
    """
    import torch

    device = torch.device(device)
    if device.type != "cuda":
        return None
    return DeviceMemory(
        allocated_bytes=torch.cuda.max_memory_allocated(device),
        reserved_bytes=torch.cuda.max_memory_reserved(device),
    )


@contextlib.contextmanager
def heap_profile(file: types.Path | None) -> Iterator[None]:
    """Record what allocates memory within the block, for ``memray flamegraph FILE``; slows it down.

    Args:
        file: what to write; an existing file is replaced. None: nothing is recorded.

    Yields:
        Nothing.

    Raises:
        InputError: where memray is not installed (extra: memray).
    """
    if file is None:
        yield
        return
    memray = load_extra("memray", extra="memray")
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with memray.Tracker(path, native_traces=True, follow_fork=False):
        yield


def private_memory_bytes(process: int | None = None) -> int | None:
    """Read the resident memory of a process that is not the page cache's (RssAnon and RssShmem).

    Pages of mapped files, such as a store's images, are left out: the system takes them back at need.

    Args:
        process: its id; None: this one.

    Returns:
        Its size in bytes; None where the system does not tell, or there is no such process.
    """
    status = _STATUS if process is None else Path(f"/proc/{process}/status")
    sizes = [_status_field(name, status) for name in ("RssAnon", "RssShmem")]
    return None if None in sizes else sum(size or 0 for size in sizes)


@contextlib.contextmanager
def sampled_private_memory(process: int | None = None, *, every_s: float = 0.05) -> Iterator[dict[int, int]]:
    """Watch the private memory of a process and of all that it starts while the block lasts.

    Args:
        process: its id; None: this one.
        every_s: seconds between two looks; a shorter peak can be missed.

    Yields:
        The largest ``private_memory_bytes`` so far by process id.
    """
    import psutil

    peaks: dict[int, int] = {}
    done = threading.Event()

    def watch() -> None:
        root = psutil.Process(process)
        while not done.is_set():
            with contextlib.suppress(psutil.Error):  # it, or a child, has just ended
                for one in (root, *root.children(recursive=True)):
                    size = private_memory_bytes(one.pid)
                    if size is not None:
                        peaks[one.pid] = max(size, peaks.get(one.pid, 0))
            done.wait(every_s)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()


def _status_field(name: str, status: Path = _STATUS) -> int | None:
    try:
        text = status.read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None
