"""Encoders and teachers."""
