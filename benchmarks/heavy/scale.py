"""The pipeline at N images: time and memory of every step, as tables of docs/scale.md.

``python -m benchmarks.heavy.scale RESULTS --images N [--docs PAGE] [--project] [-- RUN_OPTIONS]`` simulates N
images, trains two setups of the study for an epoch on all of them, beside the baselines, with the preset
``quick`` for what the tasks try, embeds, evaluates, audits and verifies. Each step is a command in a process
of its own. Memory is that of the largest process, without pages of the page cache. Given again after an
interruption, it goes on. Figures are kept in a folder named like PAGE, a file for each N, and the tables of
PAGE are made from all of them; without PAGE they are kept in RESULTS. ``--project`` also tries a few batches
of all 16 setups, from which the hours of the whole study follow. Exits with 1 where a process needs more than
6 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from morphobench.measure import sampled_private_memory
from morphobench.run.environment import environment
from morphobench.run.folder import SetupFiles

LIMIT_BYTES = 6_000_000_000
SIZES = (1_000, 10_000, 100_000, 770_000)
STEPS = ("simulate", "run", "embed", "evaluate", "audit", "verify")
SETUPS = ("weakly_supervised/aug_one_crop", "unsupervised/no_aug_one_crop")
STUDY_IMAGES, STUDY_EPOCHS, OTHER_CORES = 770_000, 50, 16
NOTED_EVERY_S = 60
BEGIN, END = "<!-- made by nox -s scale -->", "<!-- end of what nox -s scale makes -->"
PROFILE = ("--profile", "quick")
RUN = (*PROFILE, "--batch-size", "256", "--epochs", "1", "--seeds", "1", "--timing-s", "0")
# images a second of an epoch on an H200 in tf32, five augmented views each: docs/gpu.md, measured
GPU_IMAGES_PER_S = {
    "weakly_supervised": 15_689,
    "self_supervised": 6_479,
    "unsupervised": 3_597,
    "regularized": 3_447,
}


def measure(step: str, *arguments: str | Path, work: Path) -> dict[str, Any]:
    """Run a command of morphobench: its seconds, its peak of memory and that of the largest it started.

    A step that an earlier call finished in the same folder is not done again. One that was cut off is; a run
    goes on where it was, so its times add up, but for what was spent after the last minute noted.
    """
    file, log = work / "steps.json", work / "log.txt"
    known = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    before = known.get(step, {})
    if before.get("done"):
        return dict(before)
    earlier = before if step == "run" else {}
    command = [sys.executable, "-m", "morphobench", *map(str, arguments)]
    started, code = time.perf_counter(), None
    with (
        log.open("a") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
        sampled_private_memory(process.pid) as peaks,
    ):
        while code is None:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(NOTED_EVERY_S)
            seen = dict(peaks)
            of_workers = [size for one, size in seen.items() if one != process.pid]
            known[step] = {
                "step": step,
                "seconds": earlier.get("seconds", 0.0) + time.perf_counter() - started,
                "peak_bytes": max(earlier.get("peak_bytes", 0), seen.get(process.pid, 0)),
                "peak_worker_bytes": max([earlier.get("peak_worker_bytes") or 0, *of_workers]) or None,
                "calls": earlier.get("calls", 0) + 1,
                "done": code == 0,
            }
            file.write_text(json.dumps(known, indent=1), "utf-8")
    if code:
        raise SystemExit(f"{step} ended with {code}; {log} says why")
    return dict(known[step])


def steps(store: Path, work: Path, images: int, run_options: Sequence[str] = ()) -> Iterable[dict[str, Any]]:
    """Do what users do with a store, a command after the other, and measure each."""
    out, file = work / "out", work / "embeddings.parquet"
    options = (*RUN, "--images", f"{images}", "--train-images", f"{images}", *run_options)
    yield measure("run", "run", store, out, *options, "--setups", ",".join(SETUPS), work=work)
    weights = SetupFiles.of(out, SETUPS[0], 0).weights
    yield measure("embed", "embed", store, "--weights", weights, "--out", file, work=work)
    yield measure("evaluate", "evaluate", file, *PROFILE, work=work)
    yield measure("audit", "audit", store, work=work)
    yield measure("verify", "verify", out, work=work)  # last: it evaluates everything again


def parts_of_run(out: Path) -> list[dict[str, Any]]:
    """What the records of a run say of its parts; none before there is one."""
    if not (out / "results.jsonl").is_file():
        return []
    records = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    names = ("setup", "time_per_epoch_s", "embedding_time_per_image_ns", "evaluation_s")
    return [{name: one.get(name) for name in names} for one in records]


def projected_epochs(store: Path) -> dict[str, float]:
    """Seconds of an epoch of the study's images by setup, from a few batches of each here."""
    from morphobench.data import ImageStore
    from morphobench.run.cost.projection import project
    from morphobench.run.options import RunOptions

    options = RunOptions.resolve(profile="paper", tasks=(), baselines=(), timing_s=0)
    found = project(store, options)
    times = STUDY_IMAGES / len(ImageStore.open(store))
    return {one.setup: one.epoch_s * times for one in found.setups}


def tables(results: Mapping[int, Mapping[str, Any]]) -> str:
    """The page's tables; a step that was not measured says so."""
    lines = ["### Measured", "", *_facts(results), ""]
    lines += ["| images | step | time | peak memory | of a process it starts |", "|---|---|---|---|---|"]
    for images in SIZES:
        known = {one["step"]: one for one in results.get(images, {"steps": []})["steps"]}
        for step in STEPS if known else ("all",):
            if (one := known.get(step)) is None:
                lines.append(f"| {images:,} | {step} | not measured | not measured | not measured |")
                continue
            worker = _gigabytes(one["peak_worker_bytes"])
            calls = one.get("calls", 1)
            took = _duration(one["seconds"]) + (f" in {calls} calls" if calls > 1 else "")
            lines.append(f"| {images:,} | {step} | {took} | {_gigabytes(one['peak_bytes'])} | {worker} |")
    lines += ["", "Parts of `run`:", ""]
    lines += ["| images | setup | epoch | embedding | evaluation |", "|---|---|---|---|---|"]
    for images, found in sorted(results.items()):
        for one in found["parts"]:
            embedding = one["embedding_time_per_image_ns"]
            seconds = None if embedding is None else embedding * images / 1e9
            shown = (one["time_per_epoch_s"], seconds, one["evaluation_s"])
            lines.append(f"| {images:,} | {one['setup']} | {' | '.join(map(_duration, shown))} |")
    return "\n".join([*lines, "", "### Projected", "", *_projection(results)])


def _facts(results: Mapping[int, Mapping[str, Any]]) -> list[str]:
    return [
        f"{images:,} images: {found['cpu']}, {found['cores']} cores, load average "
        f"{found['load_average'][0]:.1f} before and {found['load_average'][1]:.1f} after"
        f"{', run with ' + ' '.join(found['run_options']) if found['run_options'] else ''}."
        for images, found in sorted(results.items())
    ]


def _projection(results: Mapping[int, Mapping[str, Any]]) -> list[str]:
    known = {images: found["epochs"] for images, found in results.items() if found.get("epochs")}
    if not known:
        return ["Not projected yet: `nox -s scale -- --images 10000 --project` does it."]
    images = max(known)
    cores = results[images]["cores"]
    lines = [
        f"Hours of {STUDY_EPOCHS} epochs of {STUDY_IMAGES:,} images, training and validation, **projected, "
        f"not measured**: from a few batches of each setup, on a store of {images:,} images; on "
        f"{OTHER_CORES} cores if these were {OTHER_CORES / cores:g} times as fast as {cores}, the most they "
        "can be; on a GPU (H200, tf32) from the epochs of [that page](gpu.md), with five augmented views of "
        "an image, divided by five for one view and without validation.",
        "",
        f"| setup | {cores} cores | {OTHER_CORES} cores | one GPU |",
        "|---|---|---|---|",
    ]
    sums = [0.0, 0.0, 0.0]
    for setup, epoch_s in known[images].items():
        paradigm, setting = setup.split("/")
        views = 5 if setting.endswith("multi_crop") else 1
        gpu_s = 0.7 * STUDY_IMAGES * views / 5 / GPU_IMAGES_PER_S[paradigm]
        hours = [one * STUDY_EPOCHS / 3600 for one in (epoch_s, epoch_s * cores / OTHER_CORES, gpu_s)]
        sums = [total + one for total, one in zip(sums, hours, strict=True)]
        lines.append(f"| {setup} | {' | '.join(f'{one:,.1f}' for one in hours)} |")
    return [*lines, f"| all 16 | {' | '.join(f'{one:,.1f}' for one in sums)} |"]


def _gigabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e9:.2f} GB"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def fill(page: Path, text: str) -> None:
    """Put the tables between the two marker lines of the page."""
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page} must have the lines {BEGIN!r} and {END!r}, got a page without")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


def whole(store: Path, work: Path, images: int, run_options: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Simulate a store, and do with it what users do."""
    yield measure("simulate", "simulate", store, "--images", f"{images}", "--seed", "0", work=work)
    yield from steps(store, work, images, run_options)


def write(given: argparse.Namespace, result: Mapping[str, Any]) -> None:
    """Keep what is measured so far of one size beside the page, and fill the page from all sizes."""
    folder = given.docs.with_suffix("") if given.docs else given.results
    folder.mkdir(exist_ok=True)
    (folder / f"{given.images}.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if given.docs is not None:
        files = {int(path.stem): path for path in folder.glob("*.json") if path.stem.isdigit()}
        fill(given.docs, tables({images: json.loads(path.read_text()) for images, path in files.items()}))


def main(arguments: Sequence[str]) -> int:
    """Measure one size, fill the page from all that were measured; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--project", action="store_true")
    parser.add_argument("run_options", nargs="*")
    given = parser.parse_args(arguments)
    work = given.results / f"{given.images}"  # left behind by a call that was cut off: this one goes on
    work.mkdir(parents=True, exist_ok=True)
    store = work / "store"
    load = os.getloadavg()[0]
    machine = environment(device="cpu")
    found: list[dict[str, Any]] = []
    for step in whole(store, work, given.images, given.run_options):
        found.append(step)
        result = {
            "cpu": machine["cpu"],
            "cores": len(os.sched_getaffinity(0)),
            "load_average": [load, os.getloadavg()[0]],
            "run_options": given.run_options,
            "steps": found,
            "parts": parts_of_run(work / "out"),
            "epochs": None,
        }
        write(given, result)
    if given.project:
        write(given, result | {"epochs": projected_epochs(store)})
    shutil.rmtree(work)
    largest = max(max(one["peak_bytes"], one["peak_worker_bytes"] or 0) for one in found)
    sys.stdout.write(f"largest process: {largest / 1e9:.2f} GB of {LIMIT_BYTES / 1e9:.0f} allowed\n")
    return int(largest > LIMIT_BYTES)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
