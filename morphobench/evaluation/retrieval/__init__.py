"""Retrieval metrics of profiles: average precision, matching by mechanism, replicability."""
