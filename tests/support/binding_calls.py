"""Calls of every binding of the extension with right and wrong arguments, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from morphobench import _core
from morphobench.augment import ViewGroup, ViewSpec
from morphobench.augment.params import params_dtype

MARGIN = 64  # bytes on both sides of an array that a binding writes, checked after the call
METRICS = ("euclidean", "cosine", "correlation", "braycurtis")
GROUPS = (ViewGroup(), ViewGroup(flip_vertical=0.5, quarter_turns=True, noise=0.5, brightness=0.5, blur=0.5))
ODD_NUMBERS = (-1, 0, 1, 2, 255, 2**31 - 1, -(2**31), 2**32, 2**63 - 1, -(2**63), 2**64, 10**30)
ODD_AMOUNTS = (-1, 0, -(2**31), 2**63, 2**64, 10**30)  # none that asks for much work or memory
ODD_FLOATS = (float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1e-45, 1e38, 1e308)
OTHERS: tuple[Any, ...] = (None, "x", b"", [], {}, object(), 1.5, True, (1, 2), np.float64(1), np.zeros(0))
DTYPES = ("float32", "float64", "float16", "uint8", "uint16", "int32", "int64", "bool", "complex64", "O")
AMOUNTS = frozenset({"epochs", "negatives_per_edge", "tiles", "capacity", "count", "threads"})


class BindingCalls:
    """Draws arguments and makes calls; equal seeds make equal calls."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.bytes = np.random.default_rng(seed).integers(0, 256, 1 << 17, dtype=np.uint8)
        self.guarded: list[tuple[str, np.ndarray]] = []
        self.dtypes = {
            (g, c): params_dtype(ViewSpec((GROUPS[g],)), channels=c) for g in (0, 1) for c in range(4)
        }
        self.bindings: dict[str, Callable[[], tuple[Callable[..., Any], dict[str, Any]]]] = {
            name: getattr(self, name)
            for name in vars(BindingCalls)
            if not name.startswith("_") and name not in ("call", "array", "out", "spoiled", "damaged")
        }

    def call(self, name: str) -> str:
        """Make one call.

        Args:
            name: The binding.

        Returns:
            "taken", "refused", or what is wrong.
        """
        self.guarded.clear()
        try:
            function, arguments = self.bindings[name]()
            for _ in range(self.random.choice((0, 0, 1, 1, 2))):
                key = self.random.choice(list(arguments) or ["none"])
                if key in arguments:
                    arguments[key] = self.spoiled(key, arguments[key])
            function(**arguments)
        except (TypeError, ValueError):
            return self.damaged() or "refused"
        except BaseException as error:
            return f"{type(error).__name__}: {error}"
        return self.damaged() or "taken"

    def damaged(self) -> str:
        """What array had bytes outside of it changed by the call; "" for none."""
        for name, whole in self.guarded:
            if (whole[:MARGIN] != 77).any() or (whole[-MARGIN:] != 77).any():
                return f"bytes outside of {name} were written"
        return ""

    def array(self, shape: tuple[int, ...], dtype: str = "float32", *, plain: bool | None = None) -> Any:
        """An array of random bits (NaN, infinite and tiny numbers among them) or of small numbers."""
        kind, count = np.dtype(dtype), int(np.prod(shape))
        start = 64 * self.random.randrange(512)
        if plain is None:
            plain = self.random.random() < 0.7
        if kind.kind == "f" and plain:
            return self.bytes[start : start + count].astype(kind).reshape(shape)
        return self.bytes[start : start + count * kind.itemsize].copy().view(kind).reshape(shape)

    def out(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
        """An array to be written, with marked bytes on both sides."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        whole = np.full(size + 2 * MARGIN, 77, np.uint8)
        self.guarded.append((name, whole))
        return whole[MARGIN : MARGIN + size].view(kind).reshape(shape)

    def spoiled(self, name: str, value: Any) -> Any:
        """Another value in the place of a right one."""
        r = self.random
        if r.random() < 0.15:
            return r.choice(OTHERS)
        if isinstance(value, np.ndarray) and value.dtype.kind in "Oc":  # was spoiled before
            return value
        if isinstance(value, np.ndarray) and value.dtype.kind != "V":
            how = r.randrange(9)
            if how == 0:
                with np.errstate(all="ignore"):
                    return value.astype(r.choice(DTYPES)) if value.size < 5_000 else value[:1]
            if how == 1:
                return value[::-1]
            if how == 2:
                return value[..., ::2]
            if how == 3:
                return value.T
            if how == 4:
                value = value[...]
                value.flags.writeable = False
                return value
            if how == 5:
                return value[None]
            if how == 6:
                return value[:0]
            if how == 7:
                return np.zeros(value.nbytes + 1, np.uint8)[1:].view(value.dtype).reshape(value.shape)
            return value[: max(1, len(value) - 1)] if value.ndim else value
        if isinstance(value, np.ndarray):
            value = value.copy()
            if value.size:
                where = tuple(r.randrange(length) for length in value.shape)
                field = r.choice(value.dtype.names or ())
                odd = ODD_FLOATS if value.dtype[field].base.kind == "f" else (-1, 0, 1, 7, 255, 2**31 - 1)
                with np.errstate(all="ignore"):
                    value[field][where] = np.array(r.choice(odd)).astype(value.dtype[field].base)
            return value if r.random() < 0.8 else value[:, ::-1]
        if isinstance(value, bool) or value is None or isinstance(value, str | dict):
            return r.choice(OTHERS)
        if isinstance(value, int):
            return r.choice(ODD_AMOUNTS if name in AMOUNTS else ODD_NUMBERS)
        if isinstance(value, float):
            return r.choice(ODD_FLOATS)
        if isinstance(value, tuple | list) and value:
            changed = list(value)
            changed[r.randrange(len(changed))] = r.choice((*ODD_NUMBERS, *ODD_FLOATS, "x", None))
            return type(value)(changed) if r.random() < 0.8 else type(value)(changed[1:])
        return r.choice(OTHERS)

    def build_info(self) -> Any:
        return _core.build_info, {}

    def use_simd(self) -> Any:
        levels = _core.build_info()["simd_levels"]
        return _core.use_simd, {"level": self.random.choice(levels)}

    def philox4x32(self) -> Any:
        draw = self.random.getrandbits
        return _core.philox4x32, {"counter": [draw(32) for _ in range(4)], "key": [draw(32), draw(32)]}

    def _law(self) -> dict[str, Any]:
        low = self.random.uniform(0.05, 1)
        return {
            "count": self.random.randint(1, 4),
            "scale": (low, self.random.uniform(low, 1)),
            "ratio": (0.75, 1.5),
            "flip": self.random.random(),
            "blur": self.random.random(),
            "sigma": (0.1, 2.0),
            "flip_vertical": self.random.random(),
            "quarter_turns": self.random.random() < 0.5,
            "noise": self.random.random(),
            "noise_sigma": (0.0, 0.1),
            "brightness": 0.2,
            "contrast": 0.2,
        }

    def view_distributions_add(self) -> Any:
        return _core.ViewDistributions().add, self._law()

    def view_distributions_draw(self) -> Any:
        laws, n = _core.ViewDistributions(), self.random.randrange(5)
        law = self._law()
        count = law.pop("count")
        laws.add(count, **law)
        kind = self.dtypes[1, self.random.randint(1, 3)]
        return laws.draw, {
            "params": np.zeros((count, n), kind),
            "image_ids": self.array((n,), "int64"),
            "seed": self.random.getrandbits(63),
            "epoch": self.random.randrange(100),
            "first_view": self.random.randrange(3),
            "height": self.random.randint(1, 70),
            "width": self.random.randint(1, 70),
            "threads": self.random.randint(1, 2),
        }

    def _params(self, views: int, images: int, channels: int, height: int, width: int) -> Any:
        params = np.zeros((views, images), self.dtypes[self.random.randrange(2), channels])
        top, left = self.random.randrange(height), self.random.randrange(width)
        params["top"], params["left"] = top, left
        params["height"], params["width"] = height - top, width - left
        params["blur_sigma"] = self.random.choice((0.0, 0.1, 0.7, 2.0))
        for field in ("brightness", "contrast"):
            if field in (params.dtype.names or ()):
                params[field] = self.random.choice((1.0, 0.8, 1.2))
        return params

    def apply_views(self) -> Any:
        n, c = self.random.randrange(3), self.random.randint(1, 3)
        height, width, side = (self.random.choice((1, 2, 7, 16, 17, 33)) for _ in range(3))
        normalized = self.random.random() < 0.3
        dtype = self.random.choice(("float32", "float16", "uint16", "uint8"))
        rows = self.random.random() < 0.3 and n > 0
        return _core.apply_views, {
            "images": self.array((n, c, height, width), self.random.choice(("uint8", "uint16"))),
            "rows": np.array([self.random.randrange(n) for _ in range(n)]) if rows else None,
            "params": self._params(2, n, c, height, width),
            "out": self.out("out", (2, n, c, side, side), dtype),
            "mean": [0.4] * c if normalized else [],
            "deviation": [0.2] * c if normalized else [],
            "threads": self.random.randint(1, 2),
        }

    def apply_byol_pair(self) -> Any:
        n, c = self.random.randrange(3), self.random.randint(1, 2)
        height, width, side = (self.random.choice((1, 2, 7, 16, 17)) for _ in range(3))
        return _core.apply_byol_pair, {
            "views": self.array((n, c, height, width)),
            "params": self._params(2, n, c, height, width),
            "out": self.out("out", (2, n, c, side, side)),
            "mean": 0.449,
            "deviation": 0.226,
            "threads": self.random.randint(1, 2),
        }

    def median_search(self) -> Any:
        def search(total: Any, capacity: Any, low: Any, high: Any) -> None:
            made = _core.MedianSearch(total, capacity)
            made.bracket(low, high)
            for _ in range(3):
                made.finish_pass()
            assert made.passes >= 0
            str(made.median)

        return search, {"total": self.random.randint(1, 50), "capacity": 64, "low": 0.0, "high": 2.0}

    def _distances(self, *, product: bool) -> tuple[Any, int, int]:
        rows, others, columns = (self.random.randint(1, 20) for _ in range(3))
        a, b = self.array((rows, columns)), self.array((others, columns))
        return _core.CrossDistances(a, b, product, self.random.randint(1, 2)), rows, others

    def cross_distances(self) -> Any:
        a, b = self.array((3, 7)), self.array((2, 7))
        return _core.CrossDistances, {"a": a, "b": b, "needs_product": True, "threads": 1}

    def cross_distances_standardized(self) -> Any:
        made = self._distances(product=True)[0]
        return (lambda: (made.standardized_a.sum(), made.standardized_b.sum())), {}

    def cross_distances_write(self) -> Any:
        made, rows, others = self._distances(product=True)
        return made.write, {
            "block": (0, rows, 0, others),
            "product": self.array((rows, others)),
            "metric": self.random.choice(METRICS),
            "out": self.out("out", (rows, others)),
        }

    def cross_distances_search(self) -> Any:
        made, rows, others = self._distances(product=True)
        wanted = self.random.sample(METRICS, self.random.randint(1, 4))
        return made.search, {
            "block": (0, rows, 0, others),
            "product": self.array((rows, others)),
            "searches": {metric: _core.MedianSearch(rows * others, 64) for metric in wanted},
        }

    def cross_distances_sample(self) -> Any:
        made = self._distances(product=self.random.random() < 0.8)[0]
        metrics = self.random.sample(METRICS, self.random.randint(1, 4))
        return made.sample, {"tiles": self.random.randrange(4), "metrics": metrics}

    def _stem(self) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
        n, c, f = self.random.randrange(3), self.random.randint(1, 2), self.random.choice((32, 64))
        height, width = 2 * self.random.randint(1, 5), 2 * self.random.randint(1, 5)
        dtype = self.random.choice(("float32", "float64"))
        return dtype, (n, c, height, width), (n, height // 2, width // 2, f)

    def conv_pool_stem_forward(self) -> Any:
        dtype, images, pooled = self._stem()
        return _core.conv_pool_stem_forward, {
            "images": self.array(images, dtype),
            "weight": self.array((images[1], 9, pooled[3]), dtype),
            "bias": self.array((pooled[3],), dtype),
            "out": self.out("out", pooled, dtype),
            "choice": self.out("choice", pooled, "uint8"),
        }

    def conv_pool_stem_backward(self) -> Any:
        dtype, images, pooled = self._stem()
        return _core.conv_pool_stem_backward, {
            "images": self.array(images, dtype),
            "gradient": self.array(pooled, dtype),
            "choice": self.array(pooled, "uint8"),
            "weight_gradient": self.out("weight_gradient", (images[1], 9, pooled[3]), dtype),
            "bias_gradient": self.out("bias_gradient", (pooled[3],), dtype),
        }

    def max_pool_relu_forward(self) -> Any:
        dtype, _, pooled = self._stem()
        large = (pooled[0], 2 * pooled[1], 2 * pooled[2], pooled[3])
        return _core.max_pool_relu_forward, {
            "images": self.array(large, dtype),
            "out": self.out("out", pooled, dtype),
            "choice": self.out("choice", pooled, "uint8"),
        }

    def max_pool_relu_backward(self) -> Any:
        dtype, _, pooled = self._stem()
        large = (pooled[0], 2 * pooled[1], 2 * pooled[2], pooled[3])
        return _core.max_pool_relu_backward, {
            "gradient": self.array(pooled, dtype),
            "choice": self.array(pooled, "uint8"),
            "image_gradient": self.out("image_gradient", large, dtype),
        }

    def _grid(self, *, columns: int = 1) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
        n, h, w = self.random.randrange(3), self.random.randint(1, 4), columns * self.random.randint(1, 2)
        dtype = self.random.choice(("float32", "float64"))
        return dtype, (n, h + 1, w + 1, 4, 32), (n, 2 * h, 2 * w, 32)

    def pixel_shuffle_forward(self) -> Any:
        dtype, grid, large = self._grid()
        arguments = {"grid": self.array(grid, dtype), "out": self.out("out", large, dtype)}
        return _core.pixel_shuffle_forward, arguments

    def pixel_shuffle_backward(self) -> Any:
        dtype, grid, large = self._grid()
        return _core.pixel_shuffle_backward, {
            "gradient": self.array(large, dtype),
            "out": self.array(large, dtype),
            "grid_gradient": self.out("grid_gradient", grid, dtype),
        }

    def output_conv_forward(self) -> Any:
        dtype, grid, large = self._grid(columns=4)
        c = self.random.randint(1, 2)
        return _core.output_conv_forward, {
            "grid": self.array(grid, dtype),
            "weight": self.array((c, 9, 32), dtype),
            "bias": self.array((c,), dtype),
            "logits": self.out("logits", (large[0], c, *large[1:3]), dtype),
        }

    def output_conv_backward(self) -> Any:
        dtype, grid, large = self._grid(columns=4)
        c = self.random.randint(1, 2)
        return _core.output_conv_backward, {
            "gradient": self.array((large[0], c, *large[1:3]), dtype),
            "grid": self.array(grid, dtype),
            "weight": self.array((c, 9, 32), dtype),
            "grid_gradient": self.out("grid_gradient", grid, dtype),
            "weight_gradient": self.out("weight_gradient", (c, 9, 32), dtype),
        }

    def umap_sgd(self) -> Any:
        points, edges = self.random.randint(1, 20), self.random.randrange(30)
        ends = [np.array([self.random.randrange(points) for _ in range(edges)], np.int32) for _ in range(2)]
        target = self.out("points", (points, 2))
        target[:] = self.array((points, 2))
        return _core.umap_sgd, {
            "points": target,
            "head": ends[0],
            "tail": ends[1],
            "strengths": self.array((edges,)),
            "epochs": self.random.randrange(5),
            "a": 1.577,
            "b": 0.895,
            "negatives_per_edge": self.random.randrange(6),
            "seed": self.random.getrandbits(63),
        }
