from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

def build_info() -> dict[str, str | int | tuple[str, ...]]: ...
def use_simd(level: str) -> None: ...
def philox4x32(counter: Sequence[int], key: Sequence[int]) -> NDArray[np.uint32]: ...

class ViewLaws:
    def __init__(self) -> None: ...
    def add(
        self,
        count: int,
        *,
        scale: tuple[float, float],
        ratio: tuple[float, float],
        flip: float,
        blur: float,
        sigma: tuple[float, float],
        flip_vertical: float,
        quarter_turns: bool,
        noise: float,
        noise_sigma: tuple[float, float],
        brightness: float,
        contrast: float,
    ) -> None: ...
    def draw(
        self,
        params: NDArray[np.void],
        image_ids: NDArray[np.int64],
        *,
        seed: int,
        epoch: int,
        first_view: int,
        height: int,
        width: int,
        threads: int,
    ) -> None: ...

def apply_views(
    images: NDArray[np.uint8] | NDArray[np.uint16],
    rows: NDArray[np.int64] | None,
    params: NDArray[np.void],
    out: NDArray[np.float32] | NDArray[np.float16] | NDArray[np.uint16] | NDArray[np.uint8],
    *,
    mean: Sequence[float],
    deviation: Sequence[float],
    threads: int,
) -> None: ...
def apply_pair_views(
    views: NDArray[np.float32],
    params: NDArray[np.void],
    out: NDArray[np.float32],
    *,
    mean: float,
    deviation: float,
    threads: int,
) -> None: ...
def distance_simd() -> list[str]: ...

class MedianSearch:
    def __init__(self, total: int, capacity: int) -> None: ...
    def bracket(self, low: float, high: float) -> None: ...
    def finish_pass(self) -> bool: ...
    @property
    def median(self) -> float: ...
    @property
    def passes(self) -> int: ...

class CrossDistances:
    def __init__(
        self,
        a: NDArray[np.float32],
        b: NDArray[np.float32],
        needs_product: bool,
        threads: int,
        simd: str = "auto",
    ) -> None: ...
    @property
    def nonfinite_row_a(self) -> int: ...
    @property
    def nonfinite_row_b(self) -> int: ...
    @property
    def standardized_a(self) -> NDArray[np.float32]: ...
    @property
    def standardized_b(self) -> NDArray[np.float32]: ...
    def write(
        self,
        block: tuple[int, int, int, int],
        product: NDArray[np.float32] | None,
        metric: str,
        out: NDArray[np.float32],
    ) -> None: ...
    def search(
        self,
        block: tuple[int, int, int, int],
        product: NDArray[np.float32] | None,
        searches: dict[str, MedianSearch],
    ) -> None: ...
    def sample(self, tiles: int, metrics: list[str]) -> dict[str, NDArray[np.float32]]: ...

def stem_forward(
    images: NDArray[Any],
    weight: NDArray[Any],
    bias: NDArray[Any],
    out: NDArray[Any],
    choice: NDArray[np.uint8],
) -> None: ...
def stem_backward(
    images: NDArray[Any],
    gradient: NDArray[Any],
    choice: NDArray[np.uint8],
    weight_gradient: NDArray[Any],
    bias_gradient: NDArray[Any],
) -> None: ...
def pool_forward(images: NDArray[Any], out: NDArray[Any], choice: NDArray[np.uint8]) -> None: ...
def pool_backward(
    gradient: NDArray[Any], choice: NDArray[np.uint8], image_gradient: NDArray[Any]
) -> None: ...
def unfold_forward(grid: NDArray[Any], out: NDArray[Any]) -> None: ...
def unfold_backward(gradient: NDArray[Any], out: NDArray[Any], grid_gradient: NDArray[Any]) -> None: ...
def readout_forward(
    grid: NDArray[Any], weight: NDArray[Any], bias: NDArray[Any], logits: NDArray[Any]
) -> None: ...
def readout_backward(
    gradient: NDArray[Any],
    grid: NDArray[Any],
    weight: NDArray[Any],
    grid_gradient: NDArray[Any],
    weight_gradient: NDArray[Any],
) -> None: ...
def descend_layout(
    points: NDArray[np.float32],
    head: NDArray[np.int32],
    tail: NDArray[np.int32],
    strengths: NDArray[np.float32],
    *,
    epochs: int,
    a: float,
    b: float,
    negatives_per_edge: int,
    seed: int,
) -> None: ...
