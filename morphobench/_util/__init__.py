"""Tools that every package may use: whole-file writes, hashing, options, JSON, TOML, progress, cores."""
