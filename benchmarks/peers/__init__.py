"""Other people's ways of doing the same, to stand beside ours in benchmarks."""
