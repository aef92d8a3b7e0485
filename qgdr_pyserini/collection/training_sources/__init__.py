"""Readers of published sets to train with: one module each, which registers itself."""
