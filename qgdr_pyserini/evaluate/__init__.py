"""Runs, metrics, comparisons and reports."""
