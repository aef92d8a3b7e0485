"""Comparisons that can be repeated: what was run, what it scored, and the runs themselves."""
