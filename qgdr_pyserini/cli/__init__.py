"""The ``qgdr`` command: one module per family of commands; parse, call, print."""

from qgdr_pyserini.cli.main import main

__all__ = ["main"]
