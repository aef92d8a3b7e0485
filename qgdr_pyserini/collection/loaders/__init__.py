"""Loaders of public test collections: one module each, which registers itself."""
