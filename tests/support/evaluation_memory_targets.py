"""What tests of memory run in a process of its own: the peak above the inputs, and what must be right."""

from __future__ import annotations

import numpy as np

from morphobench.evaluation.retrieval.average_precision import average_precision, mean_average_precision
from morphobench.evaluation.retrieval.matching import neighbour_accuracy
from morphobench.measure import current_host_memory_bytes, peak_host_memory_bytes, reset_peak_host_memory


def profiles_judged(profiles: int, features: int) -> tuple[int, float, float]:
    """Bytes above the inputs, mean average precision and matching accuracy of planted groups of five."""
    generator = np.random.default_rng(0)
    groups = np.arange(profiles) // 5
    values = generator.standard_normal((groups.max() + 1, features), dtype=np.float32)[groups]
    values += 0.5 * generator.standard_normal(values.shape, dtype=np.float32)
    # What the first call of the libraries takes is no part of it.
    mean_average_precision(average_precision(values[:100], groups[:100]), groups[:100], null_size=10)
    neighbour_accuracy(values[:100], groups[:100], k=5)
    reset_peak_host_memory()
    before_bytes = current_host_memory_bytes() or peak_host_memory_bytes()
    found = mean_average_precision(average_precision(values, groups), groups, null_size=100)
    matched = neighbour_accuracy(values, groups, k=5)
    above_bytes = peak_host_memory_bytes() - before_bytes
    return above_bytes, float(found.mean_average_precision.mean()), matched.accuracy
