"""Reproduction: `reproduce.toml`, its commands, the runs kept beside it, and their reports."""
