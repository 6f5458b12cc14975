"""Views of images: drawn by a counter-based generator, made in C++ with Pillow's pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from morphobench import _core
from morphobench.augment.draws import (
    PARAMS_DTYPE,
    ViewParams,
    check_image_ids,
    check_image_shape,
    check_integer,
    draw_group,
    thread_count,
)
from morphobench.augment.spec import ViewSpec, view_spec
from morphobench.errors import InputError
from morphobench.types import Float32Array, Int64Array, UInt8Array


class MultiCrop:
    """Several views of each image: crop, resize (bilinear, antialiased), / 255, flip, blur; in that order.

    Pixels before flip and blur are those of ``torchvision.transforms.functional.resized_crop`` on the PIL
    image, bit for bit; the blur is ``gaussian_blur`` with a 3 x 3 kernel to 1e-6. Draws are a pure function
    of (seed, epoch, image id, view): they depend on no batch, order or number of threads.

    ``setting``: a name of morphobench.SETTINGS or a ViewSpec. ``size_px``: side of the square views.
    ``threads``: None for every core that this process may use. InputError for anything else.
    """

    def __init__(
        self,
        setting: str | ViewSpec,
        *,
        size_px: int = 64,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.spec = view_spec(setting)
        self.size_px = check_integer("size_px", size_px, 65535)
        if not self.size_px:
            raise InputError("size_px: at least 1 wanted, got 0")
        self.seed = check_integer("seed", seed, 2**64 - 1)
        self.threads = thread_count(threads)

    @property
    def views(self) -> int:
        """The number of views per image, V."""
        return self.spec.views

    def __repr__(self) -> str:
        return f"MultiCrop({self.spec!r}, size_px={self.size_px}, seed={self.seed}, threads={self.threads})"

    def draw(self, image_ids: ArrayLike, epoch: int, image_shape: Sequence[int]) -> ViewParams:
        """How each view of each image is made in this epoch: a structured array (V, N) of PARAMS_DTYPE.

        ``image_ids`` (N,) integers; ``image_shape`` ends in (H, W). Edit the result at will before ``apply``.
        """
        ids = check_image_ids(image_ids)
        height, width = check_image_shape(image_shape)
        params = np.zeros((self.views, len(ids)), PARAMS_DTYPE)
        first_view = 0
        for group in self.spec.groups:
            draw_group(
                group,
                params[first_view : first_view + group.count],
                ids,
                seed=self.seed,
                epoch=check_integer("epoch", epoch, 2**32 - 1),
                first_view=first_view,
                image_shape=(height, width),
                threads=self.threads,
            )
            first_view += group.count
        return params

    def apply(
        self,
        images: UInt8Array,
        params: ViewParams,
        out: Float32Array | None = None,
        *,
        rows: Int64Array | None = None,
    ) -> Float32Array:
        """The views that ``params`` (V, N) describe: float32 (V, N, C, size_px, size_px) in [0, 1].

        ``images``: uint8 (N, H, W) or (N, C, H, W), rows contiguous; a memory map will do. ``rows``: int64
        (N,), the images to view where ``images`` holds more of them, so that none is copied. ``out``: filled
        and returned; C-contiguous, writeable, apart from ``images``. Raises TypeError for a wrong dtype,
        ValueError for a wrong shape or a window outside the image.
        """
        if not isinstance(images, np.ndarray):
            raise TypeError(f"images: a NumPy array wanted, got {type(images).__name__}")
        if not isinstance(params, np.ndarray) or params.ndim != 2:
            raise InputError("params: a structured array of shape (V, N) wanted, as draw returns it")
        channels = images.shape[1] if images.ndim == 4 else 1
        if out is None:
            out = np.empty((*params.shape, channels, self.size_px, self.size_px), np.float32)
        elif isinstance(out, np.ndarray) and out.shape[-2:] != (self.size_px, self.size_px):
            raise InputError(f"out: views of {self.size_px} x {self.size_px} pixels wanted, got {out.shape}")
        _core.apply_views(images, rows, params, out, threads=self.threads)
        return out

    def __call__(
        self,
        images: UInt8Array,
        image_ids: ArrayLike,
        epoch: int,
        out: Float32Array | None = None,
        *,
        rows: Int64Array | None = None,
    ) -> Float32Array:
        """``apply(images, draw(image_ids, epoch, images.shape), out, rows=rows)``."""
        return self.apply(images, self.draw(image_ids, epoch, images.shape), out, rows=rows)
