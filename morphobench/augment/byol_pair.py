"""Two augmented views of each view, as BYOL trains on, in both protocols."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from morphobench import _core
from morphobench._util.integers import check_integer
from morphobench.augment.params import PARAMS_DTYPE, ViewParams, view_distribution
from morphobench.augment.spec import MOST_VIEWS, ViewGroup
from morphobench.augment.validation import (
    MOST_SIDE_PX,
    allocate,
    check_image_ids,
    check_params,
    thread_count,
)
from morphobench.errors import InputError
from morphobench.types import DEFAULT_PROTOCOL, PROTOCOLS, Float32Array, Protocol

PAIR_GROUP = ViewGroup(count=2, scale=(0.08, 1.0), flip=0.5, blur=0.2)
"""How the study draws a pair: flip, blur, crop."""

_DISTRIBUTION = view_distribution((PAIR_GROUP,))

NORMALIZATION = {"reference-1": (0.449, 0.226), "corrected-1": (0.0, 1.0)}
"""Mean and standard deviation that the pair is normalized with, by protocol."""

# The pairs' view numbers lie above those of the views, so that no random number serves both.
_FIRST_VIEW = MOST_VIEWS + 1


class BYOLPair:
    """Makes two augmented views of each view: flip, blur, crop, resize (float, antialiased), normalize.

    Under ``corrected-1`` the pair is drawn per image and not normalized. Under ``reference-1`` one draw,
    which depends on the first image, serves the whole batch, and the pair is normalized with mean 0.449 and
    standard deviation 0.226, as in the study's program. The resize is that of
    ``torch.nn.functional.interpolate(antialias=True, align_corners=False)`` on the cropped view.

    Args:
        protocol: ``"corrected-1"`` or ``"reference-1"``.
        size_px: side of the views made.
        seed: the draws depend on it, 0 to 2**64 - 1.
        threads: number of threads; None for every core that this process may use.

    Raises:
        InputError: for arguments out of range.
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
            raise InputError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
        self.protocol = protocol
        self.size_px = check_integer("size_px", size_px, MOST_SIDE_PX, least=1)
        self.seed = check_integer("seed", seed, 2**64 - 1)
        self.threads = thread_count(threads)

    def draw(self, image_ids: ArrayLike, epoch: int, view: int) -> ViewParams:
        """Draw the parameters of the pair made of one view of each image.

        Args:
            image_ids: integers (N,).
            epoch: 0 to 2**32 - 1.
            view: number of the view that the pair is made of.

        Returns:
            Structured array (2, N) of PARAMS_DTYPE.

        Raises:
            InputError: for arguments out of range.
        """
        ids = check_image_ids(image_ids)
        drawn = ids if self.protocol == "corrected-1" else ids[:1]
        params = np.zeros((PAIR_GROUP.count, len(drawn)), PARAMS_DTYPE)
        _DISTRIBUTION.draw(
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
        """Make the pairs that ``params`` describe.

        Args:
            views: float32 (N, C, S, S).
            params: (2, N), as ``draw`` returns them.
            out: array to fill and return; C-contiguous, writeable, not overlapping ``views``.

        Returns:
            float32 (2, N, C, size_px, size_px).

        Raises:
            TypeError: for another dtype.
            ValueError: for another shape or a window outside the view.
        """
        if not isinstance(views, np.ndarray):
            raise TypeError(f"views must be a NumPy array, got {type(views).__name__}")
        if views.ndim != 4:
            raise InputError(f"views must have shape (N, C, S, S), got {views.shape}")
        check_params(params)
        if out is None:
            shape = (*params.shape, views.shape[1], self.size_px, self.size_px)
            out = allocate(shape, np.float32, name="size_px")
        elif not isinstance(out, np.ndarray):
            raise TypeError(f"out must be a NumPy array, got {type(out).__name__}")
        elif out.shape[-2:] != (self.size_px, self.size_px):
            raise InputError(
                f"out must hold views of {self.size_px} x {self.size_px} pixels, got {out.shape}"
            )
        mean, deviation = NORMALIZATION[self.protocol]
        _core.apply_byol_pair(views, params, out, mean=mean, deviation=deviation, threads=self.threads)
        return out

    def __call__(
        self,
        views: Float32Array,
        image_ids: ArrayLike,
        epoch: int,
        view: int,
        out: Float32Array | None = None,
    ) -> Float32Array:
        """Draw and make the pairs: ``apply(views, draw(image_ids, epoch, view), out)``.

        Args:
            views: float32 (N, C, S, S).
            image_ids: integers (N,).
            epoch: 0 to 2**32 - 1.
            view: number of the view that the pair is made of.
            out: array to fill and return.

        Returns:
            float32 (2, N, C, size_px, size_px).
        """
        return self.apply(views, self.draw(image_ids, epoch, view), out)
