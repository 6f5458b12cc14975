"""A disk that is full at any write, read-only or taken away: a clear error, earlier results intact."""

from __future__ import annotations
