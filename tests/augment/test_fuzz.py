"""Anything at all through the bindings: right views, or a ValueError or TypeError; never a crash.

Needs neither torch nor Pillow, so that it runs under the sanitizers too (``tools/sanitize.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from morphobench import _core
from morphobench.augment import BYOLPair, MultiCrop, ViewGroup, ViewSpec
from morphobench.augment.params import params_dtype

GROUP = ViewGroup(flip_vertical=0.5, quarter_turns=True, noise=0.5, brightness=0.5, blur=0.5)
FUZZ = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much],  # most input is refused, as it should be
)
SIDES = st.sampled_from([0, 1, 2, 3, 15, 16, 17, 31, 33, 64, 65, 200])
INTEGERS = st.one_of(st.integers(-3, 40), st.sampled_from([-(2**31), 2**31 - 1, 65535]))
FLOATS = st.one_of(st.floats(0, 3, width=32), st.sampled_from([np.nan, np.inf, -1.0, 1e30]))


def unless_refused(call: Callable[[], np.ndarray]) -> np.ndarray:
    """What ``call`` returns; the example does not count where it refuses its input, as it should."""
    try:
        return call()
    except (ValueError, TypeError):
        reject()


@st.composite
def arrays(draw: st.DrawFn, *, dtypes: tuple[str, ...], ranks: tuple[int, ...]) -> np.ndarray:
    """An array of small random shape; at times a view with steps, reversed or read-only."""
    shape = [draw(st.integers(0, 3)) for _ in range(draw(st.sampled_from(ranks)) - 2)]
    shape += [draw(SIDES), draw(SIDES)]
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    array = rng.integers(0, 256, shape).astype(draw(st.sampled_from(dtypes)))
    for axis in range(array.ndim):
        step = draw(st.sampled_from([1, 1, 1, 1, 2, -1]))
        array = array[(slice(None),) * axis + (slice(None, None, step),)]
    if draw(st.integers(0, 9)) == 0:
        array.flags.writeable = False
    return array


@st.composite
def records(draw: st.DrawFn, *, views: int, images: int, channels: int) -> np.ndarray:
    """Params of every field, some of them nonsense."""
    params = np.zeros((views, images), params_dtype(ViewSpec((GROUP,)), channels=channels))
    params["height"] = params["width"] = 1
    for name in ("brightness", "contrast"):
        params[name] = 1
    for _ in range(draw(st.integers(0, 4)) if params.size else 0):
        where = draw(st.integers(0, views - 1)), draw(st.integers(0, images - 1))
        for name in ("top", "left", "height", "width"):
            params[name][where] = draw(INTEGERS)
        for name in ("blur_sigma", "noise_sigma", "brightness", "contrast"):
            params[name][where] = draw(FLOATS)
        params["quarter_turns"][where] = draw(st.integers(0, 5))
        params["flip"][where] = params["flip_vertical"][where] = draw(st.booleans())
    return params


@pytest.mark.parametrize("level", _core.build_info()["simd_levels"])
@FUZZ
@given(data=st.data())
def test_views_of_anything(level: str, data: st.DataObject) -> None:
    images = data.draw(arrays(dtypes=("uint8", "uint8", "uint16", "int16", "float32"), ranks=(3, 4, 4, 2, 5)))
    channels = images.shape[1] if images.ndim == 4 else 1
    count = len(images) if data.draw(st.integers(0, 4)) else 2
    params = data.draw(records(views=2, images=count, channels=channels))
    rows: Any = np.array([0, len(images) - 1]) if count == 2 and data.draw(st.booleans()) else None
    dtype = data.draw(st.sampled_from(["float32", "float16", "bfloat16", "uint8"]))
    size = data.draw(st.sampled_from([1, 2, 7, 31, 64, 65]))
    crops = MultiCrop(ViewSpec((GROUP,)), size_px=size, threads=2, dtype=dtype)
    before = _core.build_info()["simd"]
    _core.use_simd(level)
    try:
        views = unless_refused(lambda: crops.apply(images, params, rows=rows))
    finally:
        _core.use_simd(str(before))
    assert images.dtype in (np.uint8, np.uint16)
    assert views.shape == (2, count, channels, size, size)
    inside = (params["height"] >= 1) & (params["top"] >= 0)
    assert inside.all()
    if dtype == "float32":
        assert np.isfinite(views).all()


@FUZZ
@given(data=st.data())
def test_pairs_of_anything(data: st.DataObject) -> None:
    views = data.draw(arrays(dtypes=("float32", "float32", "float64", "uint8"), ranks=(4, 4, 3)))
    params = data.draw(records(views=2, images=len(views), channels=1))
    pairs = unless_refused(lambda: BYOLPair(size_px=9, threads=2).apply(views, params))
    assert views.dtype == np.float32
    assert pairs.shape == (2, len(views), views.shape[1], 9, 9)


@FUZZ
@given(data=st.data())
def test_draws_of_anything(data: st.DataObject) -> None:
    anything = st.tuples(FLOATS, FLOATS)
    scale = data.draw(st.sampled_from([(0.25, 0.5), (0.08, 1.0), (1.0, 1.0)]) | anything)
    ratio = data.draw(st.sampled_from([(0.75, 1.25), (1e-3, 1e3), (1.0, 1.0)]) | anything)
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 65535)) | st.tuples(INTEGERS, INTEGERS))
    ids = data.draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5))
    chances: dict[str, Any] = {name: data.draw(st.floats(0, 1) | FLOATS) for name in ("flip", "noise")}
    epoch = data.draw(st.integers(0, 2**32 - 1) | st.integers(-1, 2**33))

    def draw() -> np.ndarray:
        group = ViewGroup(count=3, scale=scale, ratio=ratio, **chances)
        return MultiCrop(ViewSpec((group,))).draw(ids, epoch, shape)

    params = unless_refused(draw)
    assert params.shape == (3, len(ids))
    assert ((params["top"] >= 0) & (params["top"] + params["height"] <= shape[0])).all()
    assert ((params["left"] >= 0) & (params["left"] + params["width"] <= shape[1])).all()
    assert ((params["height"] >= 1) & (params["width"] >= 1)).all()
