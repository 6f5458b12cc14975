"""Training beside four busy processes: ``python -m benchmarks.heavy.busy_neighbours OUT.json``.

On two cores, a step of each paradigm of the study is timed alone and beside processes that only compute, in
turns. By the shares of the cores it should take 3 times as long (our two threads among six); at most 4 times
is allowed. Threads that spin while they wait for each other made it 10 times. Writes the file; exits with 1
where a ratio is above the limit. ``--rounds 5 --steps 3`` take about 3 minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

from benchmarks.heavy.identical_work import busy_processes
from benchmarks.heavy.training_speed import timed
from morphobench.measure import Remote
from morphobench.setups import PARADIGMS

LIMIT = 4.0


def _busy() -> None:
    number = 1
    while True:  # one thread whatever the libraries do, and no memory
        number = (number * 6_364_136_223_846_793_005 + 1) % 2**64


def slowdown(paradigm: str, *, busy: int, rounds: int, steps: int, images: int) -> dict[str, float]:
    """Seconds of a step alone and beside ``busy`` processes, medians over rounds, and their ratio."""
    seconds: dict[str, list[float]] = {"alone": [], "beside": []}
    arguments = {"paradigm": paradigm, "images": images, "threads": len(os.sched_getaffinity(0))}
    with Remote("benchmarks.heavy.training_speed:Training", arguments) as training:
        timed(training, "steps", count=2)
        for _ in range(rounds):
            seconds["alone"].append(timed(training, "steps", count=steps)[0] / steps)
            with busy_processes(busy, _busy):
                seconds["beside"].append(timed(training, "steps", count=steps)[0] / steps)
    alone, beside = (statistics.median(seconds[name]) for name in ("alone", "beside"))
    return {"alone_s": alone, "beside_s": beside, "ratio": beside / alone}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("--busy", type=int, default=4, help="processes beside it (4)")
    parser.add_argument("--cores", type=int, default=2, help="cores for all of them together (2)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="steps that are timed together (3)")
    parser.add_argument("--images", type=int, default=64, help="images of a step (64)")
    parser.add_argument("--paradigms", nargs="+", default=list(PARADIGMS), choices=PARADIGMS)
    chosen = parser.parse_args()
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: chosen.cores]))
    found = {}
    for paradigm in chosen.paradigms:
        found[paradigm] = slowdown(
            paradigm, busy=chosen.busy, rounds=chosen.rounds, steps=chosen.steps, images=chosen.images
        )
        one = found[paradigm]
        line = f"{paradigm:20} {one['alone_s']:7.3f} s {one['beside_s']:7.3f} s {one['ratio']:5.2f}x"
        sys.stdout.write(f"{line}\n")
        chosen.out.write_text(json.dumps({"busy": chosen.busy, "limit": LIMIT, "setups": found}, indent=2))
    return int(any(one["ratio"] > LIMIT for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
