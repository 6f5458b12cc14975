from collections.abc import Sequence
from typing import TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

_Real = TypeVar("_Real", np.float32, np.float64)

class _BuildInfo(TypedDict):
    compiler: str
    cxx_standard: int
    pybind11: str
    simd: str
    simd_kernels: dict[str, str]
    simd_levels: tuple[str, ...]

def build_info() -> _BuildInfo: ...
def use_simd(level: str) -> None: ...
def philox4x32(counter: Sequence[int], key: Sequence[int]) -> NDArray[np.uint32]: ...

class ViewDistributions:
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
def apply_byol_pair(
    views: NDArray[np.float32],
    params: NDArray[np.void],
    out: NDArray[np.float32],
    *,
    mean: float,
    deviation: float,
    threads: int,
) -> None: ...

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
    ) -> None: ...
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
    def sample(self, tiles: int, metrics: Sequence[str]) -> dict[str, NDArray[np.float32]]: ...

def conv_pool_stem_forward(
    images: NDArray[_Real],
    weight: NDArray[_Real],
    bias: NDArray[_Real],
    out: NDArray[_Real],
    choice: NDArray[np.uint8],
) -> None: ...
def conv_pool_stem_backward(
    images: NDArray[_Real],
    gradient: NDArray[_Real],
    choice: NDArray[np.uint8],
    weight_gradient: NDArray[_Real],
    bias_gradient: NDArray[_Real],
) -> None: ...
def max_pool_relu_forward(images: NDArray[_Real], out: NDArray[_Real], choice: NDArray[np.uint8]) -> None: ...
def max_pool_relu_backward(
    gradient: NDArray[_Real], choice: NDArray[np.uint8], image_gradient: NDArray[_Real]
) -> None: ...
def pixel_shuffle_forward(grid: NDArray[_Real], out: NDArray[_Real]) -> None: ...
def pixel_shuffle_backward(
    gradient: NDArray[_Real], out: NDArray[_Real], grid_gradient: NDArray[_Real]
) -> None: ...
def output_conv_forward(
    grid: NDArray[_Real], weight: NDArray[_Real], bias: NDArray[_Real], logits: NDArray[_Real]
) -> None: ...
def output_conv_backward(
    gradient: NDArray[_Real],
    grid: NDArray[_Real],
    weight: NDArray[_Real],
    grid_gradient: NDArray[_Real],
    weight_gradient: NDArray[_Real],
) -> None: ...
def umap_sgd(
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
