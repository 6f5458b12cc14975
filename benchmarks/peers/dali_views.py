"""NVIDIA DALI's random resized crops, flips and blurs on the CPU (extra: peers)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.peers.case import BLUR_SIGMA, Case, Peer


def dali(case: Case, *, threads: int = 2) -> Peer:
    """A DALI pipeline with operators on the CPU, drawn per image, resized with antialiasing.

    It differs from the study's law in one step: the blur works on the resized bytes, before the division, as
    is fastest here. One batch at a time and not ahead, so that nothing of it runs while others are timed.
    """
    library = pytest.importorskip("nvidia.dali", reason="DALI is not installed (extra: peers)")
    fn, types = library.fn, library.types

    @library.pipeline_def(enable_conditionals=True)
    def pipeline() -> tuple[Any, ...]:
        images = fn.external_source(name="images", device="cpu", layout="HWC", batch=True, no_copy=True)
        views = []
        for scale in case.scales:
            view = fn.random_resized_crop(
                images, size=(case.size_px, case.size_px), random_area=scale, interp_type=types.INTERP_LINEAR
            )
            if case.blur:
                if fn.random.coin_flip(probability=case.blur, dtype=types.BOOL):
                    sigma = fn.random.uniform(range=BLUR_SIGMA)
                    view = fn.gaussian_blur(view, sigma=sigma, window_size=3)
                else:
                    view = fn.copy(view)
            mirror = fn.random.coin_flip(probability=case.flip) if case.flip else 0
            views.append(
                fn.crop_mirror_normalize(view, mirror=mirror, mean=0.0, std=255.0, output_layout="CHW")
            )
        return tuple(views)

    made = pipeline(
        batch_size=case.images,
        num_threads=threads,
        device_id=None,
        prefetch_queue_depth=1,
        exec_async=False,
        exec_pipelined=False,
    )
    made.build()

    def run(images: np.ndarray) -> list[torch.Tensor]:
        made.feed_input("images", np.ascontiguousarray(np.moveaxis(images, 1, -1)))
        return [torch.from_numpy(np.asarray(views.as_tensor())) for views in made.run()]

    return run
