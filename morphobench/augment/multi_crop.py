"""Multi-crop views of images: parameters from a counter-based generator, pixels in C++ equal to Pillow's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morphobench import _core
from morphobench._util.integers import check_integer
from morphobench.augment.params import ViewParams, params_dtype, view_distribution
from morphobench.augment.spec import ViewSpec, view_spec
from morphobench.augment.validation import (
    MOST_SIDE_PX,
    allocate,
    check_image_ids,
    check_image_shape,
    check_images,
    check_params,
    check_rows,
    thread_count,
)
from morphobench.errors import InputError
from morphobench.types import Int64Array, UInt8Array

Images: TypeAlias = UInt8Array | NDArray[np.uint16]
Views: TypeAlias = Any
"""Array (V, N, C, S, S), or a tuple of such arrays, one per group, where the groups' sizes differ."""

DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16, "uint8": np.uint8}
"""Dtypes of views by name. NumPy has no bfloat16: its bits are in uint16 (``.view(torch.bfloat16)``)."""


class MultiCrop:
    """Makes several views per image: crop, resize (bilinear, antialiased), / 255, flip, blur, in this order.

    Pixels before flip and blur equal ``torchvision.transforms.functional.resized_crop`` on the PIL image, bit
    for bit; the blur equals ``gaussian_blur`` with a 3 x 3 kernel to 1e-6. Parameters are a pure function of
    (seed, epoch, image id, view): they do not depend on the batch, the order or the number of threads. A
    ViewSpec may ask for more steps: flip, vertical flip, quarter turns, blur, brightness, contrast, noise,
    normalization; in that order. 16-bit images are resized in float32 as torch's antialiased ``interpolate``
    does it, and divided by 65535.

    Args:
        setting: a name of ``morphobench.SETTINGS``, or a ViewSpec.
        size_px: side of the square views of groups without a size of their own.
        seed: the parameters depend on it, 0 to 2**64 - 1.
        threads: number of threads; None for every core that this process may use.
        dtype: a key of DTYPES; uint8 views are 255 times the pixel, rounded.

    Raises:
        InputError: for an argument out of range.

    Examples:
        >>> import numpy as np
        >>> crops = MultiCrop("aug_multi_crop", size_px=64, seed=0)
        >>> images = np.zeros((8, 1, 96, 96), np.uint8)
        >>> crops(images, np.arange(8), epoch=0).shape
        (5, 8, 1, 64, 64)
    """

    def __init__(
        self,
        setting: str | ViewSpec,
        *,
        size_px: int = 64,
        seed: int = 0,
        threads: int | None = None,
        dtype: str = "float32",
    ) -> None:
        self.spec = view_spec(setting)
        self.size_px = check_integer("size_px", size_px, MOST_SIDE_PX, least=1)
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise InputError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
        if dtype == "uint8" and self.spec.mean:
            raise InputError("dtype must be a float type for normalized views, got 'uint8'")
        self.dtype = dtype
        self.seed = check_integer("seed", seed, 2**64 - 1)
        self.threads = thread_count(threads)
        self.sizes_px = tuple(group.size_px or self.size_px for group in self.spec.groups)
        self._spare: list[ViewParams] = []
        self._distribution = view_distribution(self.spec.groups)

    @property
    def views(self) -> int:
        """Number of views per image, V."""
        return self.spec.views

    def __getstate__(self) -> dict[str, Any]:
        """Without what is made anew where this is copied or sent to."""
        return {**self.__dict__, "_spare": [], "_distribution": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._distribution = view_distribution(self.spec.groups)

    def __repr__(self) -> str:
        return (
            f"MultiCrop({self.spec!r}, size_px={self.size_px}, seed={self.seed}, threads={self.threads}, "
            f"dtype={self.dtype!r})"
        )

    def shapes(self, images: int, channels: int) -> list[tuple[int, ...]]:
        """Shapes of the arrays of views.

        Args:
            images: number of images, N.
            channels: number of channels, C.

        Returns:
            One shape (V, N, C, S, S), or one per group where the groups' sizes differ.
        """
        return [(stop - start, images, channels, size_px, size_px) for start, stop, size_px in self._parts()]

    def draw(self, image_ids: ArrayLike, epoch: int, image_shape: Sequence[int]) -> ViewParams:
        """Draw the parameters of all views of each image; they may be edited before ``apply``.

        Args:
            image_ids: integers (N,).
            epoch: 0 to 2**32 - 1.
            image_shape: (H, W), (C, H, W) or (N, C, H, W); with the channels where the spec changes
                brightness or contrast.

        Returns:
            Structured array (V, N) of PARAMS_DTYPE; with further fields where the spec has further steps (see
            ``params_dtype``).

        Raises:
            InputError: for arguments out of range.
        """
        ids = check_image_ids(image_ids)
        channels, height, width = check_image_shape(image_shape)
        params = np.zeros((self.views, len(ids)), params_dtype(self.spec, channels=channels))
        self._draw_into(params, ids, epoch, height, width)
        return params

    def _draw_into(self, params: ViewParams, ids: Int64Array, epoch: int, height: int, width: int) -> None:
        self._distribution.draw(
            params,
            ids,
            seed=self.seed,
            epoch=check_integer("epoch", epoch, 2**32 - 1),
            first_view=0,
            height=height,
            width=width,
            threads=self.threads,
        )

    def apply(
        self,
        images: Images,
        params: ViewParams,
        out: Views | None = None,
        *,
        rows: Int64Array | None = None,
    ) -> Views:
        """Make the views that ``params`` describe.

        Args:
            images: uint8 or uint16 (N, H, W) or (N, C, H, W), rows contiguous; a memory map will do.
            params: (V, N), as ``draw`` returns them.
            out: array to fill and return; C-contiguous, writeable, not overlapping ``images``. A tuple of
                arrays, one per group, where the groups' sizes differ.
            rows: int64 (N,), which images to view where ``images`` holds more of them, so that none is
                copied.

        Returns:
            float32 (V, N, C, size_px, size_px) in [0, 1]; a tuple of such arrays, one per group, where the
            groups' sizes differ.

        Raises:
            TypeError: for another dtype.
            ValueError: for another shape or a window outside the image.
        """
        check_images(images)
        check_params(params)
        check_rows(rows)
        channels = images.shape[1] if images.ndim == 4 else 1
        parts = list(self._parts())
        if len(parts) == 1:
            parts = [(0, len(params), parts[0][2])]
        elif len(params) != self.views:
            raise InputError(f"params must have shape ({self.views}, N), got {params.shape}")
        outs = self._outs(out, parts, params.shape[1], channels)
        for (start, stop, _), target in zip(parts, outs, strict=True):
            _core.apply_views(
                images,
                rows,
                params[start:stop],
                target,
                mean=self.spec.mean,
                deviation=self.spec.deviation,
                threads=self.threads,
            )
        return outs[0] if len(parts) == 1 else outs

    def __call__(
        self,
        images: Images,
        image_ids: ArrayLike,
        epoch: int,
        out: Views | None = None,
        *,
        rows: Int64Array | None = None,
    ) -> Views:
        """Draw and make the views: ``apply(images, draw(image_ids, epoch, image_shape), out, rows=rows)``.

        Args:
            images: uint8 or uint16 (N, H, W) or (N, C, H, W).
            image_ids: integers, one per image that is viewed.
            epoch: 0 to 2**32 - 1.
            out: array to fill and return.
            rows: int64, which images to view (default: all).

        Returns:
            float32 (V, N, C, size_px, size_px) in [0, 1]; a tuple where the groups' sizes differ.

        Raises:
            InputError: for image ids that do not match the images.
        """
        check_images(images)
        check_rows(rows)
        ids = check_image_ids(image_ids)
        viewed = images if rows is None else rows
        if len(ids) != len(viewed):
            raise InputError(
                f"image_ids must have one entry for each of {len(viewed)} images, got {len(ids)}"
            )
        channels, height, width = check_image_shape(images.shape[1:])
        shape, dtype = (self.views, len(ids)), params_dtype(self.spec, channels=channels)
        params = self._spare_params(shape, dtype)
        self._draw_into(params, ids, epoch, height, width)
        views = self.apply(images, params, out, rows=rows)
        self._spare[:] = [params]
        return views

    def _spare_params(self, shape: tuple[int, int], dtype: np.dtype[np.void]) -> ViewParams:
        """Parameters of the call before where they fit; taken in one step, so that threads may share us."""
        try:
            spare = self._spare.pop()
        except IndexError:
            return np.zeros(shape, dtype)
        return spare if spare.shape == shape and spare.dtype == dtype else np.zeros(shape, dtype)

    def _parts(self) -> Iterator[tuple[int, int, int]]:
        """The arrays to fill: first view, last view + 1, size."""
        if len(set(self.sizes_px)) == 1:
            yield 0, self.views, self.sizes_px[0]
            return
        start = 0
        for group, size_px in zip(self.spec.groups, self.sizes_px, strict=True):
            yield start, start + group.count, size_px
            start += group.count

    def _outs(
        self, out: Views | None, parts: list[tuple[int, int, int]], images: int, channels: int
    ) -> tuple[NDArray[Any], ...]:
        dtype = DTYPES[self.dtype]
        if out is None:
            return tuple(
                allocate((stop - start, images, channels, size_px, size_px), dtype, name="size_px")
                for start, stop, size_px in parts
            )
        outs = (out,) if len(parts) == 1 else tuple(out) if isinstance(out, (tuple, list)) else ()
        if len(outs) != len(parts):
            got = len(outs) if outs else type(out).__name__
            raise InputError(f"out must be {len(parts)} arrays, one for each group, got {got}")
        for number, ((_, _, size_px), each) in enumerate(zip(parts, outs, strict=True)):
            if not isinstance(each, np.ndarray):
                raise TypeError(f"out must be a NumPy array, got {type(each).__name__}")
            if each.dtype != dtype:
                raise TypeError(f"out must have dtype {np.dtype(dtype)}, got {each.dtype}")
            if each.shape[-2:] != (size_px, size_px):
                raise InputError(f"out must hold views of {size_px} x {size_px} pixels, got {each.shape}")
            if any(np.may_share_memory(each, other) for other in outs[:number]):
                raise InputError("out must be arrays that do not overlap, got overlapping ones")
        return outs
