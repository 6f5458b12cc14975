"""The grid of small classifiers on frozen embeddings."""
