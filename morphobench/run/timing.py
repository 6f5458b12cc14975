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

from morphobench.measure import (
    Conditions,
    Interval,
    Remote,
    RoundPlan,
    deviating,
    differences,
    readings,
    steppers,
    time_in_rounds,
)
from morphobench.measure import yardstick as yardstick_module
from morphobench.types import Int64Array, Precision, Protocol

YARDSTICK = yardstick_module.NAME
_COUNTED_IMAGES = 8  # a BatchNorm wants several; more would only take longer
_COUNTERS = ("cpu_ns", "instructions", "cycles", "package_joules", "device_joules")


@dataclass(frozen=True)
class StepSpec:
    """What is timed: one setup's training step.

    Attributes:
        store: folder of the images.
        setting: how views are drawn.
        objective: name that ``objectives.create`` takes.
        rows: int64, the rows of the store that are trained on.
        data_sha256: checksum of the store.
        protocol: id of the rules.
        encoder: name of the network.
        seed: of weights, order and views.
        batch_size: images of a batch.
        accumulate: batches of a step.
        precision: what the device multiplies in.
        device: what torch computes on.
        threads: of torch.
    """

    store: Path
    setting: str
    objective: str
    rows: Int64Array
    data_sha256: str
    protocol: Protocol = "corrected-1"
    encoder: str = "study"
    seed: int = 0
    batch_size: int = 256
    accumulate: int = 1
    precision: Precision = "float32"
    device: str = "cpu"
    threads: int = 1

    @property
    def images_per_step(self) -> int:
        """Images of one optimizer step."""
        return min(self.batch_size * self.accumulate, len(self.rows))


class TrainingStep:
    """One setup's training step as the work of a process: each call trains on the next view of one batch.

    Args:
        spec: what is timed.
    """

    def __init__(self, *, spec: StepSpec) -> None:
        import torch

        from morphobench.data import ImageStore
        from morphobench.objectives import create
        from morphobench.training.runtime.gradient_accumulation import step_of
        from morphobench.training.runtime.precision import in_precision
        from morphobench.training.runtime.seeding import epoch_order

        torch.set_num_threads(spec.threads)
        self._spec, self._device = spec, torch.device(spec.device)
        store = ImageStore.open(spec.store)
        order = spec.rows[epoch_order(len(spec.rows), seed=spec.seed, epoch=0)]
        channels, _, size_px = store.images.shape[1:]
        self._objective = create(
            spec.objective,
            encoder=spec.encoder,
            protocol=spec.protocol,
            channels=channels,
            size_px=size_px,
            seed=spec.seed,
            device=spec.device,
        )
        self._batch = order[: spec.images_per_step]
        self._labels = torch.from_numpy(np.asarray(store.labels)[self._batch]).to(self._device)
        self._views = self._drawn(store)
        self._next = cycle(self._views)
        step = step_of(self._objective, accumulate=spec.accumulate)
        self._step = in_precision(step, spec.precision, self._device)
        self._losses: list[Any] = []
        self._conditions = Conditions(
            protocol=spec.protocol,
            data_sha256=spec.data_sha256,
            order_sha256=hashlib.sha256(order.tobytes()).hexdigest(),
            images=len(spec.rows),
            seed=spec.seed,
            batch_size=spec.batch_size,
            accumulate=spec.accumulate,
            precision=spec.precision,
            device=_device_name(self._device),
            warm_up="until two turns in a row are not 5 % faster than the fastest before",
        )

    def step(self) -> None:
        """Train on the next view and wait for the device."""
        import torch

        from morphobench.training.runtime.precision import matrix_products

        with matrix_products(self._spec.precision, self._device):
            self._losses.append(self._step(next(self._next), self._labels)["loss"])
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
        from morphobench.measure.multiply_adds import multiply_adds

        images = min(_COUNTED_IMAGES, len(self._batch))
        views = tuple(view[:images] for view in self._views[0])
        counted = multiply_adds(lambda: self._objective.train_step(views, self._labels[:images]))
        return counted / images

    def views_per_image(self) -> int:
        """Count the setting's views.

        Returns:
            Views of an image in an epoch.
        """
        return len(self._views)

    def _drawn(self, store: Any) -> list[tuple[Any, ...]]:
        """The views of the batch by position, each a tuple as ``train_step`` takes it, on the device."""
        import torch

        from morphobench.augment import MultiCrop, PairViews

        spec = self._spec
        size_px, ids = store.images.shape[2], store.image_ids[self._batch]
        images = np.ascontiguousarray(store.images[self._batch])
        crops = MultiCrop(spec.setting, size_px=size_px, seed=spec.seed, threads=spec.threads)
        pairs = PairViews(size_px=size_px, seed=spec.seed, threads=spec.threads)
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

    time_ns: Interval
    relative: Interval
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
            "yardstick": yardstick_module.VERSION,
            **{f"{name}_per_view": value for name, value in self.counted.items()},
            "multiply_adds_per_view": self.multiply_adds,
            "share_of_machine_limit": self.share_of_limit,
            "stable": not self.unstable_reason,
            "unstable_reason": self.unstable_reason or None,
            "conditions": self.conditions.describe(),
        }


def time_setups(specs: Mapping[str, StepSpec], plan: RoundPlan) -> tuple[dict[str, StepTime], dict[str, Any]]:
    """Time the steps of several setups in rounds.

    Args:
        specs: what is timed, by the setups' names; device and threads are those of the first.
        plan: how long it goes on.

    Returns:
        The times by name, and facts about the measurement: rounds, and load and clock before and after.
    """
    first = next(iter(specs.values()))
    works: dict[str, tuple[str, Mapping[str, Any]]] = {
        name: (f"{__name__}:TrainingStep", {"spec": spec}) for name, spec in specs.items()
    }
    works[YARDSTICK] = (
        f"{yardstick_module.__name__}:Yardstick",
        {"threads": first.threads, "device": first.device},
    )
    before = readings()
    with steppers(works, device=first.device) as remotes:
        fixed = _conditions(remotes, specs)
        found = time_in_rounds(remotes, plan)
        held = _conditions(remotes, specs)
        asked = {name: _asked(remotes[name]) for name in specs}
        limit = float(remotes[YARDSTICK].call("ask", method="multiply_adds"))
        counts = _multiply_adds(remotes, specs)
    facts = {"rounds": found.rounds, "before": before, "after": readings()}
    deviations = deviating({name: conditions.describe() for name, conditions in held.items()})
    times = {}
    for name, spec in specs.items():
        changed = "; ".join(differences(fixed[name], held[name]))
        reason = deviations.get(name, "") or (changed and f"conditions changed: {changed}")
        share = 1 / spec.images_per_step
        relative = found.ratio(name, to=YARDSTICK)
        counted = {one: found.time(name, one).value * share for one in _COUNTERS}
        times[name] = StepTime(
            time_ns=found.time(name).scaled(share),
            relative=relative,
            counted={one: None if math.isnan(value) else value for one, value in counted.items()},
            multiply_adds=counts[name],
            share_of_limit=counts[name] * spec.images_per_step / limit / relative.value,
            conditions=held[name],
            unstable_reason=reason or found.unstable_reason(name),
            rounds_ns=tuple(wall * share for wall in found.values(name) or ()),
            **asked[name],
        )
    return times, facts


def _asked(remote: Remote) -> dict[str, Any]:
    return {
        "memory": remote.call("memory"),  # before multiply-adds are counted, which takes more
        "losses": tuple(remote.call("ask", method="losses")),
        "views_per_image": remote.call("ask", method="views_per_image"),
    }


def _multiply_adds(remotes: Mapping[str, Remote], specs: Mapping[str, StepSpec]) -> dict[str, float]:
    """By name; counted once for setups whose step is the same."""
    counted: dict[tuple[str, ...], float] = {}
    for name, spec in specs.items():
        step = (spec.objective, spec.encoder, spec.protocol)
        if step not in counted:
            counted[step] = float(remotes[name].call("ask", method="multiply_adds_per_view"))
    return {name: counted[spec.objective, spec.encoder, spec.protocol] for name, spec in specs.items()}


def _conditions(remotes: Mapping[str, Remote], names: Iterable[str]) -> dict[str, Conditions]:
    return {name: remotes[name].call("ask", method="conditions") for name in names}


def _device_name(device: Any) -> str:
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
