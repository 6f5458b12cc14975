"""BYOL's two further views of a view, in both protocols."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from morphobench import _core
from morphobench.augment.params import PARAMS_DTYPE, ViewParams, view_laws
from morphobench.augment.spec import MOST_VIEWS, ViewGroup
from morphobench.augment.validation import (
    allocate,
    check_image_ids,
    check_integer,
    check_params,
    thread_count,
)
from morphobench.errors import InputError
from morphobench.types import DEFAULT_PROTOCOL, PROTOCOLS, Float32Array, Protocol

PAIR_LAW = ViewGroup(count=2, scale=(0.08, 1.0), flip=0.5, blur=0.2)
"""Flip, blur, crop; the study's."""

_LAWS = view_laws((PAIR_LAW,))

NORMALIZATION = {"reference-1": (0.449, 0.226), "corrected-1": (0.0, 1.0)}
"""Mean and deviation that the pair is normalized by."""

# View numbers of the pairs, so that they share no random number with the views.
_FIRST_VIEW = MOST_VIEWS + 1


class PairViews:
    """Two further views of each view: flip, blur, crop, resize (float, antialiased), normalize.

    ``corrected-1``: drawn per image, not normalized. ``reference-1``: one draw for the whole batch, keyed by
    its first image, and normalized by mean 0.449 and deviation 0.226, as the study's program does. The resize
    is that of ``torch.nn.functional.interpolate(antialias=True, align_corners=False)`` on the cropped view.
    """

    def __init__(
        self,
        protocol: Protocol = DEFAULT_PROTOCOL,
        *,
        size_px: int = 64,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        if protocol not in PROTOCOLS:
            raise InputError(f"protocol: one of {', '.join(PROTOCOLS)} wanted, got {protocol!r}")
        self.protocol = protocol
        self.size_px = check_integer("size_px", size_px, 65535, least=1)
        self.seed = check_integer("seed", seed, 2**64 - 1)
        self.threads = thread_count(threads)

    def draw(self, image_ids: ArrayLike, epoch: int, view: int) -> ViewParams:
        """How the pair of views made of view number ``view`` of each image is made: structured (2, N)."""
        ids = check_image_ids(image_ids)
        drawn = ids if self.protocol == "corrected-1" else ids[:1]
        params = np.zeros((PAIR_LAW.count, len(drawn)), PARAMS_DTYPE)
        _LAWS.draw(
            params,
            drawn,
            seed=self.seed,
            epoch=check_integer("epoch", epoch, 2**32 - 1),
            first_view=_FIRST_VIEW + 2 * check_integer("view", view, _FIRST_VIEW // 2 - 1),
            height=self.size_px,
            width=self.size_px,
            threads=self.threads,
        )
        return params if len(drawn) == len(ids) else np.repeat(params, len(ids), axis=1)

    def apply(self, views: Float32Array, params: ViewParams, out: Float32Array | None = None) -> Float32Array:
        """The pairs that ``params`` (2, N) describe: float32 (N, C, S, S) -> (2, N, C, size_px, size_px).

        ``out``: filled and returned; C-contiguous, writeable, apart from ``views``. Raises TypeError for a
        wrong dtype, ValueError for a wrong shape or a window outside the view.
        """
        if not isinstance(views, np.ndarray):
            raise TypeError(f"views: a NumPy array wanted, got {type(views).__name__}")
        if views.ndim != 4:
            raise InputError(f"views: shape (N, C, S, S) wanted, got {views.shape}")
        check_params(params)
        if out is None:
            shape = (*params.shape, views.shape[1], self.size_px, self.size_px)
            out = allocate(shape, np.float32, name="size_px")
        elif not isinstance(out, np.ndarray):
            raise TypeError(f"out: a NumPy array wanted, got {type(out).__name__}")
        elif out.shape[-2:] != (self.size_px, self.size_px):
            raise InputError(f"out: views of {self.size_px} x {self.size_px} pixels wanted, got {out.shape}")
        mean, deviation = NORMALIZATION[self.protocol]
        _core.apply_pair_views(views, params, out, mean=mean, deviation=deviation, threads=self.threads)
        return out

    def __call__(
        self,
        views: Float32Array,
        image_ids: ArrayLike,
        epoch: int,
        view: int,
        out: Float32Array | None = None,
    ) -> Float32Array:
        """``apply(views, draw(image_ids, epoch, view), out)``."""
        return self.apply(views, self.draw(image_ids, epoch, view), out)
