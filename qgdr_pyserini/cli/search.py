"""``qgdr search``: Pyserini's dense search."""

from __future__ import annotations

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
    options_metavar="--index DIR --topics FILE --output FILE",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYSERINI OPTIONS]")
def search(arguments: tuple[str, ...]) -> None:
    """Search an index through Pyserini's own search.faiss.

    The same as "python -m pyserini.search.faiss", for where the import hook is absent or turned off. All
    options go to Pyserini as they are; --encoder qgdr is added if no encoder is named. Pyserini's own
    options: qgdr search -- --help

    \b
    Example:
      qgdr search --encoder qgdr --index indexes/xquad.qgdr --hits 100 \\
        --topics collections/xquad/topics.de.tsv --output runs/xquad.qgdr.de.txt
    """
    from qgdr_pyserini.pyserini_plugin.search import search as search_with_pyserini

    search_with_pyserini(arguments)
