"""Batches of views for training."""
