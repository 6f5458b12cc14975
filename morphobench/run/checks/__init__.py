"""Checks: what a store can show, whether a run comes out again, whether an installation works."""
