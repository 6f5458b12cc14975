"""Every statistic of the report in one place: intervals, comparisons, ranks, effects; no I/O."""

from __future__ import annotations

from morphobench.evaluation.bootstrap.auc import (
    Draws,
    Scored,
    roc_auc_draws,
    roc_auc_interval,
    roc_auc_interval_by_unit,
)
from morphobench.evaluation.bootstrap.interval import Interval, from_draws, grouped_bootstrap, units_needed
from morphobench.report.statistics.comparisons import (
    Comparison,
    compare,
    compare_over_groups,
    hedges_g,
    holm,
    mean_interval,
    sign_flip_p,
)
from morphobench.report.statistics.effects import Effect, effects_over_blocks, effects_over_groups, explained
from morphobench.report.statistics.ranks import Ranking, critical_difference, friedman_p, rank
from morphobench.report.statistics.table import Table, build_table

__all__ = [
    "Comparison",
    "Draws",
    "Effect",
    "Interval",
    "Ranking",
    "Scored",
    "Table",
    "build_table",
    "compare",
    "compare_over_groups",
    "critical_difference",
    "effects_over_blocks",
    "effects_over_groups",
    "explained",
    "friedman_p",
    "from_draws",
    "grouped_bootstrap",
    "hedges_g",
    "holm",
    "mean_interval",
    "rank",
    "roc_auc_draws",
    "roc_auc_interval",
    "roc_auc_interval_by_unit",
    "sign_flip_p",
    "units_needed",
]
