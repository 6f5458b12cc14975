"""Tools that every package may use: whole-file writes, hashing, counting cores, JSON, progress."""
