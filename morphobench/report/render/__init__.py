"""The summary of a run, written for the terminal and as HTML."""
