from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def build_info() -> dict[str, str | int | tuple[str, ...]]: ...
def use_simd(level: str) -> None: ...
def philox4x32(counter: Sequence[int], key: Sequence[int]) -> NDArray[np.uint32]: ...
def draw_views(
    params: NDArray[np.void],
    image_ids: NDArray[np.int64],
    *,
    seed: int,
    epoch: int,
    first_view: int,
    height: int,
    width: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    flip: float,
    blur: float,
    sigma: tuple[float, float],
    threads: int,
) -> None: ...
def apply_views(
    images: NDArray[np.uint8],
    rows: NDArray[np.int64] | None,
    params: NDArray[np.void],
    out: NDArray[np.float32],
    *,
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
