"""Whether the measuring can be believed: ``python -m benchmarks.heavy.identical_work OUT.json``.

Beside a busy process, repeatedly: the 16 setups' steps are timed in rounds, as the suite does. Within each
paradigm ``aug_one_crop`` and ``no_aug_one_crop`` do identical work (views are drawn before), so their ratio
must be within 10 % in 19 of 20 runs, or one of the two is flagged unstable. Successive runs are compared as
two commits: the same commit must raise no alarm, and a planted slowdown of 15 % must be found in 19 of 20.
Writes the file after each run; exits with 1 where one of the three fails.

``--runs 20 --budget-s 40`` take about 25 minutes; ``--paradigms`` and ``--one-crop`` make it shorter.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from morphobench._util.cpu import available_cores
from morphobench.data import ImageStore, simulate
from morphobench.measure import RoundPlan
from morphobench.report.statistics.regressions import compare_benchmarks
from morphobench.run.cost.timing import StepTime, time_setups
from morphobench.run.job import Job
from morphobench.setups import PARADIGMS, SETTINGS, Setup
from morphobench.training import TrainingOptions

BATCH_SIZE, TOLERANCE, SLOWDOWN = 32, 0.10, 1.15
PAIR = "no_aug_one_crop", "aug_one_crop"


def _busy() -> None:
    values = np.random.default_rng(0).normal(size=(300, 300))
    while True:
        values = np.tanh(values @ values.T / 300)


@contextmanager
def busy_processes(count: int, work: Callable[[], None] = _busy) -> Iterator[None]:
    """Keep ``count`` processes at ``work``, which never ends, within the block."""
    started = [multiprocessing.Process(target=work, daemon=True) for _ in range(count)]
    for process in started:
        process.start()
    try:
        yield
    finally:
        for process in started:
            process.terminate()
            process.join()


def jobs_of(store: ImageStore, paradigms: Sequence[str], settings: Sequence[str]) -> dict[str, Job]:
    """The setups to time, by name."""
    rows = np.arange(len(store))
    training = TrainingOptions(
        batch_size=BATCH_SIZE, threads=available_cores(), data_id=str(store.manifest["content_sha256"])
    )
    setups = [Setup(paradigm, setting) for paradigm in paradigms for setting in settings]
    return {
        str(one): Job(store.path, one, one.paradigm, "study", "corrected-1", training, rows, rows[:0])
        for one in setups
    }


def as_file(times: dict[str, StepTime], *, slower: dict[str, float] | None = None) -> dict[str, Any]:
    """What the suite's file would hold of these times; ``slower`` plants factors."""
    benchmarks = []
    for name, one in times.items():
        extra, factor = one.record(), (slower or {}).get(name, 1.0)
        for figure in ("relative_time", "relative_cpu_time"):
            extra[figure] *= factor
            extra[f"{figure}_interval"] = [factor * bound for bound in extra[f"{figure}_interval"]]
        benchmarks.append({"name": name, "stats": {"median": one.time_ns.value}, "extra_info": extra})
    return {"benchmarks": benchmarks}


def summary(runs: Sequence[dict[str, Any]], comparisons: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How often what must hold held."""
    by_paradigm: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        for paradigm, found in run["ratios"].items():
            by_paradigm.setdefault(paradigm, []).append(found)
    agreed = {
        paradigm: sum(abs(one["ratio"] - 1) <= TOLERANCE or bool(one["unstable"]) for one in found)
        for paradigm, found in by_paradigm.items()
    }
    return {
        "runs": len(runs),
        "agreed_or_flagged": agreed,
        "flagged": {name: sum(bool(one["unstable"]) for one in found) for name, found in by_paradigm.items()},
        "largest_deviation": {
            name: max(abs(one["ratio"] - 1) for one in found) for name, found in by_paradigm.items()
        },
        "comparisons": len(comparisons),
        "false_alarms": sum(bool(one["alarms"]) for one in comparisons),
        "slowdowns_found": sum(bool(one["found"]) for one in comparisons),
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("--runs", type=int, default=20, help="how often everything is timed (20)")
    parser.add_argument("--budget-s", type=float, default=40, help="seconds of rounds of each run (40)")
    parser.add_argument("--busy", type=int, default=1, help="processes that disturb (1)")
    parser.add_argument("--paradigms", nargs="+", default=list(PARADIGMS), choices=PARADIGMS)
    parser.add_argument("--one-crop", action="store_true", help="time only the settings of one crop")
    chosen = parser.parse_args()
    settings = PAIR if chosen.one_crop else SETTINGS
    runs: list[dict[str, Any]] = []
    comparisons: list[dict[str, Any]] = []
    before: dict[str, StepTime] | None = None
    with tempfile.TemporaryDirectory() as folder, busy_processes(chosen.busy):
        store = simulate(Path(folder) / "store", images=256, seed=0)
        jobs = jobs_of(store, chosen.paradigms, settings)
        for number in range(chosen.runs):
            plan = RoundPlan(rounds=12, budget_s=chosen.budget_s, seed=number)
            times, facts = time_setups(jobs, plan)
            ratios = {}
            for paradigm in chosen.paradigms:
                one, other = (times[f"{paradigm}/{setting}"] for setting in PAIR)
                reasons = [side.unstable_reason for side in (one, other) if side.unstable_reason]
                ratio = other.time_ns.value / one.time_ns.value
                ratios[paradigm] = {"ratio": ratio, "unstable": reasons}
            relative = {name: (one.relative, one.relative_cpu) for name, one in times.items()}
            runs.append(
                {
                    "ratios": ratios,
                    "facts": facts,
                    "relative_time": {name: vars(wall) for name, (wall, _) in relative.items()},
                    "relative_cpu_time": {name: vars(cpu) for name, (_, cpu) in relative.items()},
                }
            )
            if before is not None:
                slower = {f"{chosen.paradigms[number % len(chosen.paradigms)]}/{PAIR[0]}": SLOWDOWN}
                same = compare_benchmarks(as_file(before), as_file(times))
                planted = compare_benchmarks(as_file(before), as_file(times, slower=slower))
                alarms = [f"{c.name} {c.figure} {c.change.value:.3f}" for c in same.worse]
                caught = [c.name for c in planted.worse if c.name in slower]
                comparisons.append({"alarms": alarms, "found": caught})
            before = times
            state = {"summary": summary(runs, comparisons), "runs": runs, "comparisons": comparisons}
            chosen.out.write_text(json.dumps(state, indent=1) + "\n", "utf-8")
            shown = ", ".join(f"{name} {pair['ratio']:.3f}" for name, pair in ratios.items())
            print(f"run {number + 1}, {facts['rounds']} rounds: {shown}", flush=True)  # noqa: T201
    found = summary(runs, comparisons)
    print(json.dumps(found, indent=1))  # noqa: T201
    allowed = chosen.runs // 20
    held = all(count >= chosen.runs - allowed for count in found["agreed_or_flagged"].values())
    held &= found["false_alarms"] == 0
    held &= found["slowdowns_found"] >= len(comparisons) - allowed
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
