"""Checkpoints: their file format, and when they are written, kept and read."""
