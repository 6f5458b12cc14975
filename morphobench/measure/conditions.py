"""The conditions that setups are compared under: fixed before, read again after, the same for all.

What must be the same is one frozen dataclass; a setup whose conditions differ from the others' is marked,
and never ranked by its costs. Load and clock speed, which no program fixes, are readings beside it.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from morphobench._util.cpu import cpu_model

CPU_FOLDER = Path("/sys/devices/system/cpu")
_ALLOCATOR_VARIABLES = (
    "LD_PRELOAD",
    "DYLD_INSERT_LIBRARIES",
    "MALLOC_",
    "GLIBC_TUNABLES",
    "PYTORCH_CUDA_ALLOC",
)


@dataclass(frozen=True)
class Conditions:
    """What must be the same for all setups of a comparison. Empty text and 0: not known.

    Attributes:
        protocol: id of the rules that training follows.
        data_sha256: checksum of the images and their metadata.
        order_sha256: checksum of the order in which the first epoch takes the images.
        images: images trained on.
        seed: of weights, order and views.
        batch_size: images of a batch, with ``accumulate`` batches to a step.
        accumulate: batches of an optimizer step.
        precision: what the device multiplies in.
        device: what torch computes on, with an accelerator's own name.
        threads: threads that torch uses.
        affinity: the cores that the process may use.
        allocator: the C library, and what replaces or tunes its allocator, or PyTorch's.
        simd: instruction set of our kernels.
        cpu: the processor.
        governor: how the system chooses the clock speed.
        warm_up: what happens before times count.
    """

    protocol: str = ""
    data_sha256: str = ""
    order_sha256: str = ""
    images: int = 0
    seed: int = 0
    batch_size: int = 0
    accumulate: int = 1
    precision: str = "float32"
    device: str = "cpu"
    threads: int = 0
    affinity: tuple[int, ...] = ()
    allocator: str = ""
    simd: str = ""
    cpu: str = ""
    governor: str = ""
    warm_up: str = ""

    def read_again(self) -> Conditions:
        """Read what a process can read of itself.

        Returns:
            These conditions with threads, affinity, allocator, SIMD level, processor and governor as they
            are now in this process.
        """
        import torch

        from morphobench import _core

        affinity = tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()
        return replace(
            self,
            threads=torch.get_num_threads(),
            affinity=affinity,
            allocator=_allocator(),
            simd=str(_core.build_info()["simd"]),
            cpu=cpu_model(),
            governor=_governor(affinity),
        )

    def describe(self) -> dict[str, Any]:
        """Give the conditions as JSON types.

        Returns:
            The fields by name.
        """
        return {**asdict(self), "affinity": list(self.affinity)}


def differences(expected: Conditions | Mapping[str, Any], found: Conditions | Mapping[str, Any]) -> list[str]:
    """Name the conditions that differ.

    Args:
        expected: what they must be, as ``Conditions`` or as ``describe`` gave them.
        found: what they are.

    Returns:
        Texts like "threads must be 2, got 1"; none where all are the same.
    """
    one, other = (c.describe() if isinstance(c, Conditions) else dict(c) for c in (expected, found))
    names = [field.name for field in fields(Conditions)]
    return [
        f"{name} must be {one.get(name)}, got {other.get(name)}"
        for name in names
        if one.get(name) != other.get(name)
    ]


def deviating(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Find the setups whose conditions are not those of most.

    Args:
        conditions: by setup, as ``describe`` gives them; setups without any are left out.

    Returns:
        By deviating setup, what differs.
    """
    if not conditions:
        return {}
    keys = {name: _key(values) for name, values in conditions.items()}
    common, _ = Counter(keys.values()).most_common(1)[0]
    reference = next(conditions[name] for name, key in keys.items() if key == common)
    return {
        name: "conditions differ: " + "; ".join(differences(reference, conditions[name]))
        for name, key in keys.items()
        if key != common
    }


def readings() -> dict[str, float | None]:
    """Read what no program fixes.

    Returns:
        ``load_average`` over the last minute and ``clock_mhz``, the mean over cores; None where the system
        does not tell.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    speeds = [int(path.read_text()) / 1e3 for path in CPU_FOLDER.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")]
    return {"load_average": load, "clock_mhz": sum(speeds) / len(speeds) if speeds else None}


def _key(values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(repr(values.get(field.name)) for field in fields(Conditions))


def _governor(affinity: Sequence[int]) -> str:
    """The governors of the cores in use, such as "performance"; empty where the system does not tell."""
    found = set()
    for core in affinity:
        try:
            found.add((CPU_FOLDER / f"cpu{core}" / "cpufreq" / "scaling_governor").read_text().strip())
        except OSError:
            continue
    return ", ".join(sorted(found))


def _allocator() -> str:
    """Whose malloc it is, as far as the environment tells."""
    library = " ".join(platform.libc_ver()).strip() or platform.system()
    if hasattr(ctypes.CDLL(None), "mallctl"):
        library = "jemalloc"
    tuned = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name.startswith(_ALLOCATOR_VARIABLES) and value
    ]
    return "; ".join([library, *tuned])
