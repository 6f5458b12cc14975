"""What tests of distances run in a process of its own."""

from __future__ import annotations

import numpy as np

from morphobench.evaluation import distances
from morphobench.measure import current_host_memory_bytes, peak_host_memory_bytes, reset_peak_host_memory


def big_medians(
    rows: int, features: int, check: bool = True
) -> tuple[int, dict[str, float], dict[str, tuple[int, int]]]:
    """Peak memory beyond the inputs, the medians, and how many pairs lie below, and up to, each median."""
    a, b = np.random.default_rng(0).standard_normal((2, rows, features), dtype=np.float32)
    reset_peak_host_memory()
    before_bytes = current_host_memory_bytes() or peak_host_memory_bytes()
    medians = distances.median_distances(a, b)
    above_bytes = peak_host_memory_bytes() - before_bytes
    counts = {}
    for metric, median in medians.items() if check else ():
        below = up_to = 0
        for start in range(0, rows, 500):
            part = distances.pairwise(a[start : start + 500], b, metric)
            # Another block's product, and its rows' centre, may round a value otherwise.
            below += int((part < median * (1 - 1e-6)).sum())
            up_to += int((part <= median * (1 + 1e-6)).sum())
        counts[metric] = (below, up_to)
    return above_bytes, medians, counts
