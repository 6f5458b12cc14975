"""Calls every binding of the extension with right and wrong arguments: ``tools/fuzz.py --calls 1000000``.

A call must return, or refuse with a TypeError or a ValueError; it must leave the bytes around the arrays that
it writes alone; and memory must not grow. Each 100,000 calls run in a process of their own, so that a crash
is seen and named with its seed. Prints calls per binding; ends with 1 where anything failed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, where it is started elsewhere

from tests.support.binding_calls import BindingCalls

CHUNK = 100_000
WARM_UP = 20_000
GROWTH_MIB = 16.0


def resident_mib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def chunk(seed: int, calls: int, connection: Any) -> None:
    """In a process of its own: make the calls and send what came of them."""
    fuzzer, counts, wrong = BindingCalls(seed), Counter[str](), Counter[str]()
    names = sorted(fuzzer.bindings)
    before = resident_mib()
    for number in range(calls):
        name = fuzzer.random.choice(names)
        if number % 1_000 == 0:
            connection.send(("at", number))
        if number == min(WARM_UP, calls // 2):
            before = resident_mib()
        outcome = fuzzer.call(name)
        if outcome not in ("taken", "refused"):
            wrong[f"{name}: {outcome}"] += 1
            outcome = "wrong"
        counts[f"{name} {outcome}"] += 1
    connection.send(("done", counts, wrong, resident_mib() - before))


def main() -> int:
    """Make the calls, print the table.

    Returns:
        0, or 1 where a call failed, crashed or memory grew.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first 100,000 calls; the next ones follow"
    )
    parser.add_argument("--json", help="write the counts to this file")
    options = parser.parse_args()
    counts, wrong, growth, started = Counter[str](), Counter[str](), [], time.monotonic()
    context = multiprocessing.get_context("spawn")
    for index, first in enumerate(range(0, options.calls, CHUNK)):
        seed, ours, theirs = options.seed + index, *context.Pipe(duplex=False)
        calls = min(CHUNK, options.calls - first)
        process = context.Process(target=chunk, args=(seed, calls, theirs))
        process.start()
        theirs.close()
        at, done = 0, False
        try:
            while not done and ours.poll(120):
                kind, *content = ours.recv()
                if kind == "at":
                    (at,) = content
                else:
                    done = True
                    counts += content[0]
                    wrong += content[1]
                    growth.append(content[2])
        except EOFError:
            pass
        if not done:
            process.kill()
        process.join()
        if not done:
            ended = "hang" if process.exitcode == -9 else f"exit code {process.exitcode}"
            wrong[f"seed {seed}, after call {at}: {ended}"] += 1
    names = sorted({key.rpartition(" ")[0] for key in counts})
    kinds = ("taken", "refused", "wrong")
    rows = [(name, *(counts[f"{name} {kind}"] for kind in kinds)) for name in names]
    rows.append(("all", *(sum(row[1 + n] for row in rows) for n in range(3))))
    lines = [f"{'binding':32}" + "".join(f"{kind:>10}" for kind in ("calls", *kinds))]
    lines += [f"{row[0]:32}{sum(row[1:]):>10}" + "".join(f"{n:>10}" for n in row[1:]) for row in rows]
    lines += [f"wrong {count} x: {text}" for text, count in wrong.most_common(40)]
    grown = max(growth, default=0.0)
    lines.append(f"largest growth of memory over {min(CHUNK, options.calls):,} calls: {grown:.1f} MiB")
    lines.append(f"{time.monotonic() - started:.0f} s")
    sys.stdout.write("\n".join(lines) + "\n")
    if options.json:
        content = {"counts": counts, "wrong": wrong, "growth_mib": growth}
        Path(options.json).write_text(json.dumps(content, indent=1), encoding="utf-8")
    return int(bool(wrong) or grown > GROWTH_MIB)


if __name__ == "__main__":
    sys.exit(main())
