"""Embeddings that say nothing, the same judged by every task, and how often intervals hold chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from morphobench.evaluation import METRICS, EvaluationInput, TaskResult, evaluate
from morphobench.evaluation.bootstrap.interval import Interval
from morphobench.evaluation.registry import default_tasks
from morphobench.options import EvaluationOptions
from morphobench.setups import Sweep

PLATES = {"train": 4, "validation": 2, "test": 8}
COMPOUNDS, MECHANISMS, CONTROLS = 36, 12, 20
FEATURES = 6
PAIRS = tuple((f"c{number:02d}", f"c{number + MECHANISMS:02d}") for number in range(6))
SWEEP = Sweep(
    learning_rates=(0.05,),
    momenta=(0.9,),
    weight_decays=(1e-4,),
    classifier_epochs=2,
    classifier_batch=256,
    min_cluster_sizes=(12,),
)


def null_table(seed: int, *, lines: Sequence[str] = ("A549",), effect: float = 0.0) -> EvaluationInput:
    """Plates that hold every compound (three to a mechanism) and controls; an image a well.

    ``effect``: how far each mechanism moves its images, in deviations of one feature; 0: no drug does
    anything.
    """
    random = np.random.default_rng([seed, 0x6E756C6C])
    rows = []
    plate = 0
    for split, plates in PLATES.items():
        for _ in range(plates):
            for line in lines:
                for number in range(COMPOUNDS + CONTROLS):
                    drug = number < COMPOUNDS
                    rows.append(
                        {
                            "Metadata_Plate": f"P{plate:02d}",
                            "Metadata_Batch": f"B{plate % 4}",
                            "Metadata_Well": f"{line}{number:02d}",
                            "Metadata_CellLine": line,
                            "Metadata_Compound": f"c{number:02d}" if drug else "DMSO",
                            "Metadata_MOA": f"m{number % MECHANISMS}" if drug else None,
                            "Metadata_ControlType": "trt" if drug else "negcon",
                            "Metadata_Split": split,
                        }
                    )
            plate += 1
    metadata = pd.DataFrame(rows)
    embeddings = random.normal(size=(len(metadata), FEATURES))
    directions = random.normal(size=(MECHANISMS, FEATURES))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    treated = np.flatnonzero(metadata["Metadata_MOA"].notna())
    kind = metadata["Metadata_MOA"].iloc[treated].str[1:].astype(int).to_numpy()
    embeddings[treated] += effect * directions[kind]
    return EvaluationInput(
        embeddings.astype(np.float32),
        metadata,
        EvaluationOptions(sweep=SWEEP, pairs=PAIRS),
        seed=seed,
        threads=1,
    )


def outcomes(inputs: EvaluationInput) -> dict[str, TaskResult]:
    """What every task says."""
    return evaluate(inputs, tasks=default_tasks())


def chance_of(name: str, metrics: Mapping[str, float]) -> float | None:
    """What a metric would be by chance: as it declares, or as its companion NAME_chance says."""
    known = METRICS[name].chance
    if known is not None:
        return known
    return metrics.get(f"{name.removesuffix('_accuracy')}_chance")


def holding(results: Mapping[str, TaskResult], *, width: float = 1.0) -> dict[str, bool]:
    """Whether the interval of every metric with a chance value holds it; ``width``: scaled so first."""
    found = {}
    for result in results.values():
        for name in result.metrics:
            chance = chance_of(name, result.metrics)
            if chance is not None and METRICS[name].direction != "none":
                found[name] = holds(result.intervals[name], chance, width=width)
    return found


def holds(interval: Interval, value: float, *, width: float) -> bool:
    """Whether ``interval``, its bounds ``width`` times as far from the estimate, holds ``value``."""
    assert interval, str(interval.reason)
    low, high = (
        interval.estimate + width * (bound - interval.estimate) for bound in (interval.low, interval.high)
    )
    return bool(low - 1e-9 <= value <= high + 1e-9)
