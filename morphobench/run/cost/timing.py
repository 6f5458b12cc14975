"""Training steps of several setups timed in rounds, beside a yardstick, under conditions that are verified.

Runs, cost measurements and the benchmark suite time their setups with this: fresh processes, one computing at
a time (see ``measure.rounds``). Views are drawn before, so that the time is the step's own.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from morphobench._util.cpu import available_cores
from morphobench._util.json import read_json, write_json
from morphobench.augment import BYOLPair, MultiCrop
from morphobench.data import ImageStore
from morphobench.errors import MorphobenchError
from morphobench.measure import (
    Conditions,
    Estimate,
    Remote,
    RoundPlan,
    RoundTimes,
    deviating,
    differences,
    readings,
    steppers,
    time_in_rounds,
)
from morphobench.measure import yardstick as yardstick_module
from morphobench.measure.multiply_adds import multiply_adds
from morphobench.objectives import Batch
from morphobench.run.environment import device_name
from morphobench.run.job import Job
from morphobench.run.worker import make_objective, use_threads
from morphobench.training.data.groups import group_codes
from morphobench.training.data.views import training_views
from morphobench.training.runtime.gradient_accumulation import make_train_step
from morphobench.training.runtime.precision import in_precision, matrix_products
from morphobench.training.runtime.seeding import epoch_order

YARDSTICK = yardstick_module.NAME
_COUNTED_IMAGES = 8  # a BatchNorm wants several; more would only take longer
_LEAST_CORE_SHARE = 0.9
_COUNTERS = ("cpu_ns", "instructions", "cycles", "package_joules", "device_joules")


class TrainingStep:
    """One setup's training step as the work of a process: each call trains on the next view of one batch.

    Args:
        job: what is trained.
    """

    def __init__(self, *, job: Job) -> None:
        options = job.training
        use_threads(options)
        self._job, self._device = job, torch.device(options.device)
        store = ImageStore.open(job.store)
        order = job.train_rows[epoch_order(len(job.train_rows), seed=options.seed, epoch=0)]
        self._objective = make_objective(job, store)
        self._objective.to(self._device)
        self._batch = order[: images_per_step(job)]
        groups = group_codes(store.metadata)
        codes = {name: torch.from_numpy(values[self._batch]) for name, values in groups.items()}
        known = Batch(torch.from_numpy(np.asarray(store.labels)[self._batch]), codes)
        self._known = known.map(lambda values: values.to(self._device))
        self._views = self._drawn(store)
        self._next = cycle(self._views)
        step = make_train_step(self._objective, accumulate=options.accumulate)
        self._step = in_precision(step, options.precision, self._device)
        self._losses: list[torch.Tensor] = []
        self._conditions = Conditions(
            protocol=job.protocol,
            data_sha256=options.data_id or "",
            order_sha256=hashlib.sha256(order.tobytes()).hexdigest(),
            images=len(order),
            seed=options.seed,
            batch_size=options.batch_size,
            accumulate=options.accumulate,
            precision=options.precision,
            device=device_name(options.device),
            warm_up="until two turns in a row are not 5 % faster than the fastest before",
        )

    def step(self) -> None:
        """Train on the next view and wait for the device."""
        with matrix_products(self._job.training.precision, self._device):
            self._losses.append(self._step(next(self._next), self._known)["loss"])
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def losses(self) -> list[float]:
        """Give the loss of every step so far.

        Returns:
            One number a step.
        """
        return [float(loss) for loss in self._losses]

    def conditions(self) -> Conditions:
        """Read the conditions of this process.

        Returns:
            Those that the specification fixes, and those that hold in the process now.
        """
        return self._conditions.read_again()

    def multiply_adds_per_view(self) -> float:
        """Count the multiply-adds of a step; takes one that trains on a few images.

        Returns:
            Multiply-adds divided by images.
        """
        images = min(_COUNTED_IMAGES, len(self._batch))
        views = tuple(view[:images] for view in self._views[0])
        counted = multiply_adds(lambda: self._objective.train_step(views, self._known.part(slice(images))))
        return counted / images

    def views_per_image(self) -> int:
        """Count the setting's views.

        Returns:
            Views of an image in an epoch.
        """
        return len(self._views)

    def _drawn(self, store: Any) -> list[tuple[Any, ...]]:
        """The views of the batch by position, each a tuple as ``train_step`` takes it, on the device."""
        options = self._job.training
        size_px, ids = store.images.shape[2], store.image_ids[self._batch]
        images = np.ascontiguousarray(store.images[self._batch])
        spec = training_views(self._job.setup.setting, options)
        crops = MultiCrop(spec, size_px=size_px, seed=options.seed, threads=options.threads)
        pairs = BYOLPair(self._job.protocol, size_px=size_px, seed=options.seed, threads=options.threads)
        drawn = []
        for number, view in enumerate(crops(images, ids, 0)):
            made = pairs(view, ids, 0, number) if self._objective.pair_views else view[None]
            drawn.append(tuple(torch.from_numpy(np.ascontiguousarray(one)).to(self._device) for one in made))
        return drawn


@dataclass(frozen=True)
class StepTime:
    """What one setup's step takes per view, that is divided by the images of a step.

    Attributes:
        time_ns: wall time, drift of the machine taken off (see ``RoundTimes.time``).
        relative: the step's time over the yardstick's, within rounds.
        relative_cpu: the same of CPU time, which other programs disturb less; NaN where not measured.
        counted: CPU time, instructions, cycles and joules per view; None where not measured.
        multiply_adds: of a view, counted.
        share_of_limit: rate of multiply-adds over the yardstick's.
        conditions: those that held.
        unstable_reason: why the time cannot be relied on; empty for a stable one.
        rounds_ns: wall time per view of every round.
        memory: of the process, as ``Stepper.memory`` gives it.
        losses: of every step, warm-up included.
        views_per_image: the setting's views.
    """

    time_ns: Estimate
    relative: Estimate
    relative_cpu: Estimate
    counted: Mapping[str, float | None]
    multiply_adds: float
    share_of_limit: float
    conditions: Conditions
    unstable_reason: str
    rounds_ns: tuple[float, ...]
    memory: Mapping[str, int]
    losses: tuple[float, ...]
    views_per_image: int

    def record(self) -> dict[str, Any]:
        """Give what a record keeps.

        Returns:
            Keys of a result's record, plain JSON types but for NaN.
        """
        return {
            "time_per_view_ns": self.time_ns.value,
            "time_per_view_interval_ns": [self.time_ns.low, self.time_ns.high],
            "relative_time": self.relative.value,
            "relative_time_interval": [self.relative.low, self.relative.high],
            "relative_cpu_time": self.relative_cpu.value,
            "relative_cpu_time_interval": [self.relative_cpu.low, self.relative_cpu.high],
            "yardstick": yardstick_module.VERSION,
            **{f"{name}_per_view": value for name, value in self.counted.items()},
            "multiply_adds_per_view": self.multiply_adds,
            "share_of_machine_limit": self.share_of_limit,
            "host_memory_of_libraries_bytes": self.memory["host_memory_of_libraries_bytes"],
            "stable": not self.unstable_reason,
            "unstable_reason": self.unstable_reason or None,
            "conditions": self.conditions.describe(),
        }


def images_per_step(job: Job) -> int:
    """Count the images of one optimizer step.

    Args:
        job: what is trained.

    Returns:
        Those of a batch times the batches of a step, or all where there are fewer.
    """
    return min(job.training.images_per_step, len(job.train_rows))


def time_setups(jobs: Mapping[str, Job], plan: RoundPlan) -> tuple[dict[str, StepTime], dict[str, Any]]:
    """Time the training steps of several setups in rounds.

    Args:
        jobs: what is timed, by the setups' names; all on one device with as many threads.
        plan: how long it goes on.

    Returns:
        The times by name, and facts about the measurement: rounds, and load and clock before and after.

    Raises:
        IsolatedError: where a setup could not be trained.
    """
    training = next(iter(jobs.values())).training
    works: dict[str, tuple[str, Mapping[str, Any]]] = {
        name: (f"{__name__}:TrainingStep", {"job": job}) for name, job in jobs.items()
    }
    works[YARDSTICK] = (
        f"{yardstick_module.__name__}:Yardstick",
        {"threads": training.threads or available_cores(), "device": training.device},
    )
    before = readings()
    with steppers(works, device=training.device) as remotes:
        fixed = _conditions(remotes, jobs)
        found = time_in_rounds(remotes, plan)
        held = _conditions(remotes, jobs)
        asked = {name: _asked(remotes[name]) for name in jobs}
        limit = float(remotes[YARDSTICK].call("ask", method="multiply_adds"))
        counts = _multiply_adds(remotes, jobs)
    facts = {"rounds": found.rounds, "before": before, "after": readings()}
    deviations = deviating({name: conditions.describe() for name, conditions in held.items()})
    busy = others_busy(found, threads=training.threads or available_cores(), device=training.device)
    times = {}
    for name, job in jobs.items():
        changed = "; ".join(differences(fixed[name], held[name]))
        reason = deviations.get(name, "") or (changed and f"conditions changed: {changed}")
        share = 1 / images_per_step(job)
        relative = found.ratio(name, to=YARDSTICK)
        counted = {one: found.time(name, one).value * share for one in _COUNTERS}
        times[name] = StepTime(
            time_ns=found.time(name).scaled(share),
            relative=relative,
            relative_cpu=found.ratio(name, to=YARDSTICK, what="cpu_ns"),
            counted={one: None if math.isnan(value) else value for one, value in counted.items()},
            multiply_adds=counts[name],
            share_of_limit=counts[name] * images_per_step(job) / limit / relative.value,
            conditions=held[name],
            unstable_reason=reason or found.unstable_reason(name) or busy,
            rounds_ns=tuple(wall * share for wall in found.values(name) or ()),
            **asked[name],
        )
    return times, facts


def others_busy(found: RoundTimes, *, threads: int, device: str) -> str:
    """Say why no wall time can be relied on: other programs had a part of the cores.

    The yardstick keeps all its threads computing, so what its CPU time lacks to them went to others.

    Args:
        found: times with the yardstick's.
        threads: that it had.
        device: what it computed on; of others than the CPU nothing is said.

    Returns:
        The reason; empty where they had little.
    """
    wall_ns, cpu_ns = found.values(YARDSTICK), found.values(YARDSTICK, "cpu_ns")
    if torch.device(device).type != "cpu" or wall_ns is None or cpu_ns is None:
        return ""
    share = sum(cpu_ns) / sum(wall_ns) / threads
    if share >= _LEAST_CORE_SHARE:
        return ""
    others, allowed = (100 * (1 - one) for one in (share, _LEAST_CORE_SHARE))
    return f"other programs had {others:.0f} % of the cores, at most {allowed:.0f} % allowed"


def _asked(remote: Remote) -> dict[str, Any]:
    return {
        "memory": remote.call("memory"),  # before multiply-adds are counted, which takes more
        "losses": tuple(remote.call("ask", method="losses")),
        "views_per_image": remote.call("ask", method="views_per_image"),
    }


def _multiply_adds(remotes: Mapping[str, Remote], jobs: Mapping[str, Job]) -> dict[str, float]:
    """By name; counted once for setups whose step is the same."""
    counted: dict[tuple[str, ...], float] = {}
    for name, job in jobs.items():
        step = (job.objective, job.encoder, job.protocol)
        if step not in counted:
            counted[step] = float(remotes[name].call("ask", method="multiply_adds_per_view"))
    return {name: counted[job.objective, job.encoder, job.protocol] for name, job in jobs.items()}


def _conditions(remotes: Mapping[str, Remote], names: Iterable[str]) -> dict[str, Conditions]:
    return {name: remotes[name].call("ask", method="conditions") for name in names}


def timed_once(file: Path, jobs: Mapping[str, Job], plan: RoundPlan) -> dict[str, Any]:
    """Time setups, or read what an earlier call found.

    Args:
        file: where the times are kept, as JSON.
        jobs: what is timed, by the setups' names.
        plan: how long it goes on.

    Returns:
        By setup what its record keeps (see ``StepTime.record``). Where a setup could not be trained, none
        has a time, and each says why.
    """
    if file.is_file():
        return dict(read_json(file))
    try:
        times, facts = time_setups(jobs, plan)
    except MorphobenchError as error:
        # the setup at fault fails when it is trained, where its error is recorded
        return {name: not_timed(str(error)) for name in jobs}
    found = {name: {**one.record(), "timing": facts} for name, one in times.items()}
    write_json(file, found)
    return dict(read_json(file))


def not_timed(reason: str) -> dict[str, Any]:
    """Give what the record of a setup keeps that was not timed in rounds.

    Args:
        reason: why.

    Returns:
        Keys of the record.
    """
    return {"stable": False, "unstable_reason": f"not timed in rounds: {reason}"}
