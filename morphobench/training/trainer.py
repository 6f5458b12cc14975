"""The one training loop. It knows no paradigm: objectives bring the step, the feed the views."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from morphobench.training.callbacks.base import Callback
from morphobench.training.checkpoint.manager import session
from morphobench.training.data.loader import ImageArray, LabelledImages
from morphobench.training.data.views import Validation, make_feed
from morphobench.training.early_stopping import rule_for
from morphobench.training.memory.estimate import require_memory
from morphobench.training.options import TrainingOptions, TrainingResult
from morphobench.training.runtime.gradient_accumulation import step_of
from morphobench.training.runtime.precision import in_precision, require_precision
from morphobench.training.runtime.process_group import join_group
from morphobench.training.state import TrainingState, identity
from morphobench.types import Int64Array

if TYPE_CHECKING:
    from morphobench.objectives.base import Objective


def train(
    objective: Objective,
    *,
    images: ImageArray,
    labels: Int64Array,
    image_ids: Int64Array,
    setting: str,
    options: TrainingOptions | None = None,
    validation: tuple[ImageArray, Int64Array, Int64Array] | None = None,
    callbacks: Sequence[Callback] = (),
) -> TrainingResult:
    """Train ``objective`` on the views that ``setting`` draws of ``images``; it keeps the weights.

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
        options: the study's defaults when None.
        validation: images, labels and ids whose loss, on the whole image, is taken after each epoch.
        callbacks: watchers and schedules, called in this order.

    Raises:
        InputError: for unfit arguments, for a checkpoint of other options, naming them, and where the
            memory will not do, with advice.
        TypeError: for images that are not uint8, labels or ids that are not integers.
        NonFiniteLossError: when the loss becomes NaN or infinite; the last good checkpoint stays.
        KeyboardInterrupt: for Ctrl-C, after the step has ended and been saved.
    """
    options = TrainingOptions() if options is None else options
    group = join_group(options.device)
    options = group.place(options)
    data = LabelledImages(images, labels, image_ids)
    device = torch.device(options.device)
    require_precision(options.precision, device)
    objective.to(device)
    train_step = in_precision(step_of(objective, accumulate=options.accumulate), options.precision, device)
    feed = make_feed(data, objective, setting=setting, options=options, shard=group.shard)
    judge = None if validation is None else Validation(LabelledImages(*validation), objective, options)
    state = TrainingState(objective, options, setting=setting, feed=feed, group=group)
    stop = rule_for(objective.protocol, objective.name, early_stopping=options.early_stopping)
    with session(state, callbacks) as (keeper, watchers):
        require_memory(state, feed)
        keeper.restore(identity(state, data=data, callbacks=callbacks))
        watchers.start(state)
        while state.epochs_done < options.last_epoch and not state.stopped_early:
            with closing(state.timed(feed.epoch(state.epochs_done, start=state.position))) as steps:
                for step in steps:
                    watchers.before_step(state)
                    state.count(state.clock(train_step, step.views, step.labels))
                    watchers.step(state)
                    keeper.after_step()
            state.require_finite()
            began = perf_counter()
            losses = None if judge is None else judge(between=keeper.stop_if_asked)
            record = state.end_epoch(losses, validation_seconds=perf_counter() - began)
            state.stopped_early = stop([past.training["loss"] for past in state.history])
            watchers.epoch(state, record)
            keeper.after_epoch()
        result = state.result()
        watchers.end(state, result)
    return result
