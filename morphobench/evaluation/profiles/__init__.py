"""Aggregated profiles of wells and treatments, and their normalization."""

from __future__ import annotations

from morphobench.evaluation.profiles.aggregate import aggregate
from morphobench.evaluation.profiles.normalize import mad_robustize, spherize

__all__ = ["aggregate", "mad_robustize", "spherize"]
