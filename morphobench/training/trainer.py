"""The one training loop. It knows no paradigm: objectives bring the step, the loader the views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from time import perf_counter
from typing import TypeAlias

import torch

from morphobench.objectives import Objective
from morphobench.options import TrainingOptions
from morphobench.training.callbacks.base import Callback
from morphobench.training.checkpoint.fingerprint import run_identity
from morphobench.training.data.images import ImageArray, LabelledImages
from morphobench.training.data.loader import StepLoader
from morphobench.training.data.views import Validation, make_loader
from morphobench.training.memory.estimate import require_memory
from morphobench.training.results import TrainingResult
from morphobench.training.runtime.gradient_accumulation import make_train_step
from morphobench.training.runtime.precision import in_precision, require_precision
from morphobench.training.runtime.process_group import join_group
from morphobench.training.runtime.session import session
from morphobench.training.state import TrainingState
from morphobench.types import Int64Array

HeldOut: TypeAlias = LabelledImages | tuple[ImageArray, Int64Array, Int64Array]
"""Images to validate on: with all that is known of them, or images, labels and ids."""


def train(
    objective: Objective,
    *,
    images: ImageArray,
    labels: Int64Array,
    image_ids: Int64Array,
    setting: str,
    groups: Mapping[str, Int64Array] | None = None,
    options: TrainingOptions | None = None,
    validation: HeldOut | None = None,
    callbacks: Sequence[Callback] = (),
    loader: StepLoader | None = None,
) -> TrainingResult:
    """Train an objective on the views that a setting draws of images; it keeps the weights.

    Each batch of V views is V optimizer steps, one per view position; an incomplete last batch is dropped
    when there is another. Image order comes from (seed, epoch), views from (seed, epoch, image id, view):
    every paradigm sees the same under one setting. With ``options.checkpoint_dir`` training goes on where a
    killed one stopped and ends, on a CPU with the same threads, with the same bits. Under ``torchrun`` each
    process trains on its part of every batch; only the first writes.

    Args:
        objective: what is trained (see ``objectives.create``); moved to ``options.device``.
        images: uint8 (N, C, H, W), array, memory map or ``ImageRows``.
        labels: int64 (N,), 0 control and 1 drug.
        image_ids: int64 (N,), the keys of the images' views.
        setting: one of ``setups.SETTINGS``.
        groups: codes of compound, plate and well, int64 (N,) by name; -1 where unknown. Only for objectives
            that ask for them.
        options: the study's defaults when None.
        validation: images whose loss, on the whole image, is taken after each epoch.
        callbacks: watchers and schedules, called in this order.
        loader: where the steps come from; default: the views of ``setting``.

    Returns:
        Losses, times and sizes.

    Raises:
        InputError: for unfit arguments, for a checkpoint of other options, naming them, and where the
            memory does not suffice, with advice.
        TypeError: for images that are not uint8, labels or ids that are not integers.
        CheckError: when the first step trains nothing.
        NonFiniteLossError: when the loss becomes NaN or infinite; the last good checkpoint stays.
        KeyboardInterrupt: for Ctrl-C, after the step has ended and been saved.
    """
    options = TrainingOptions() if options is None else options
    group = join_group(options.device)
    options = group.place(options)
    data = LabelledImages(images, labels, image_ids, groups or {})
    device = torch.device(options.device)
    require_precision(options.precision, device)
    objective.to(device)
    train_step = in_precision(
        make_train_step(objective, accumulate=options.accumulate), options.precision, device
    )
    if loader is None:
        loader = make_loader(data, objective, setting=setting, options=options, shard=group.shard)
    held_out = LabelledImages(*validation) if isinstance(validation, tuple) else validation
    validate = None if held_out is None else Validation(held_out, objective, options)
    state = TrainingState(objective, options, setting=setting, loader=loader, group=group)
    stop_rule = None if options.early_stopping == "never" else objective.stop_rule
    with session(state, callbacks) as (checkpoints, watchers):
        require_memory(state, loader)
        checkpoints.restore(run_identity(state, data=data, callbacks=callbacks))
        watchers.start(state)
        while state.epochs_done < options.last_epoch and not state.stopped_early:
            with closing(state.timed(loader.epoch(state.epochs_done, start=state.position))) as steps:
                for step in steps:
                    watchers.before_step(state)
                    state.count(state.timer(train_step, step.views, step.batch))
                    watchers.step(state)
                    checkpoints.after_step()
            state.require_finite()
            began = perf_counter()
            losses = None if validate is None else validate(between=checkpoints.stop_if_asked)
            record = state.end_epoch(losses, validation_seconds=perf_counter() - began)
            if stop_rule is not None:
                state.stopped_early = stop_rule([past.training["loss"] for past in state.history])
            watchers.epoch(state, record)
            checkpoints.after_epoch()
        result = state.result()
        watchers.end(state, result)
    return result
