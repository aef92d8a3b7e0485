"""Encoding many texts fast: batches of a token budget, work ahead of its use, devices, number formats."""
