"""Training on a CUDA device: steps, CUDA graphs, epochs beside a plain loop, the device's busy share.

``python -m benchmarks.gpu.check OUT.json`` measures and writes one JSON file; ``tools/gpu_check.sh`` builds
the extension, runs the CUDA tests and then this. ``--docs docs/gpu.md`` shows the file on that page; with
``--show`` nothing is measured. Without a CUDA device everything that can runs on the CPU with small sizes,
so that the program is tested before a device is at hand.

The file is written anew after each part. A part that fails, and one that a deadline cuts off, is named in it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.gpu.device import CUDA, LARGE, SMALL, limits, machine
from benchmarks.gpu.epochs import epochs
from benchmarks.gpu.page import fill
from benchmarks.gpu.steps import graphs, steps
from benchmarks.peers.study_views import write_folder
from morphobench.data import simulate


def measure(out: Path, *, budget_s: float, small: bool, tests: Path | None) -> dict[str, Any]:
    """All parts, one after another, until ``budget_s`` seconds are spent; what was found."""
    sizes, began = SMALL if small else LARGE, time.monotonic()
    found: dict[str, Any] = {
        "machine": machine(), "sizes": vars(sizes), "seconds": {}, "left_out": [], "errors": {},
    }  # fmt: skip
    if tests is not None and tests.is_file():
        found["tests"] = tests.read_text("utf-8").strip().splitlines()[-1].strip("= ")
    with TemporaryDirectory() as folder:
        store = simulate(Path(folder) / "store", images=sizes.images, seed=0)
        write_folder(store.images[:, 0], Path(folder) / "jpeg")
        found["seconds"]["data"] = time.monotonic() - began
        parts: dict[str, Callable[[], Any]] = {
            "limits": lambda: limits(sizes),
            "steps": lambda: list(steps(sizes, store)),
            "graphs": lambda: list(graphs(sizes, store)),
            "epochs": lambda: epochs(sizes, store, Path(folder) / "jpeg", began + 0.7 * budget_s),
        }
        for name, part in parts.items():
            if time.monotonic() - began > budget_s:
                found["left_out"].append(name)
                continue
            start = time.monotonic()
            try:
                found[name] = part()
            except Exception as error:
                # device time is rare: what follows is measured all the same
                traceback.print_exc()
                found["errors"][name] = f"{type(error).__name__}: {error}"
            found["seconds"][name] = time.monotonic() - start
            out.write_text(json.dumps(_without_nan(found), indent=1) + "\n", "utf-8")
            print(f"gpu_check: {name} took {found['seconds'][name]:.0f} s", flush=True)  # noqa: T201
    return found


def _without_nan(value: Any) -> Any:
    """``value`` with NaN, which JSON lacks, as None."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main() -> int:
    """The command line; 1 where a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, help="JSON file to write (with --show: to read)")
    parser.add_argument("--budget-s", type=float, default=360, help="start no further part after this (360)")
    parser.add_argument(
        "--small", action="store_true", default=not CUDA, help="small sizes (always on a CPU)"
    )
    parser.add_argument("--tests", type=Path, help="output of the CUDA tests, whose last line is kept")
    parser.add_argument("--docs", type=Path, help="page to show the file on")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    chosen = parser.parse_args()
    if chosen.show:
        found = json.loads(chosen.out.read_text("utf-8"))
    else:
        found = measure(chosen.out, budget_s=chosen.budget_s, small=chosen.small, tests=chosen.tests)
    if chosen.docs is not None:
        fill(chosen.docs, found)
    return 1 if found["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
