"""Statistics of the report: intervals, comparisons, ranks, effects; no I/O."""
