"""The top of the ``qgdr`` command."""

from __future__ import annotations

import click

from qgdr_pyserini import __version__
from qgdr_pyserini.cli.group import OneLineErrorGroup
from qgdr_pyserini.cli.steps import generate_queries, mine_negatives, score


@click.group(cls=OneLineErrorGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qgdr")
def main() -> None:
    """Cross-lingual dense retrieval inside Pyserini.

    A question in any language finds the English passages that answer it.
    """


for _command in (generate_queries, mine_negatives, score):
    main.add_command(_command)
