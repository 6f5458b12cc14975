"""Simulated cell images whose true answers are known."""

from __future__ import annotations

from morphobench.data.simulate.simulate import simulate

__all__ = ["simulate"]
