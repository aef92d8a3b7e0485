"""``qgdr search``: Pyserini's dense search."""

from __future__ import annotations

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
    options_metavar="--index DIR [--index DIR …] --topics FILE --output FILE",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYSERINI OPTIONS]")
def search(arguments: tuple[str, ...]) -> None:
    """Search one index, or several as one, through Pyserini's own search.faiss.

    The same as "python -m pyserini.search.faiss", for where the import hook is absent or turned off. All
    options go to Pyserini as they are; --encoder qgdr is added if no encoder is named. Pyserini's own
    options: qgdr search -- --help

    Where an index holds segments of documents ('qgdr encode-corpus --split'), documents are ranked by their
    best one: --max-passage and what goes with it are added, and --hits counts documents.

    With --index several times, the best of all indexes together are found; shards need no merging.

    \b
    Example:
      qgdr search --encoder qgdr --index indexes/xquad.qgdr --hits 100 \\
        --topics collections/xquad/topics.de.tsv --output runs/xquad.qgdr.de.txt
      qgdr search --index shards/1 --index shards/2 --topics topics.de.tsv --output run.de.txt
    """
    from qgdr_pyserini.pyserini_plugin.option_values import option_value, option_values
    from qgdr_pyserini.pyserini_plugin.search import search as search_with_pyserini

    encoder = option_value(arguments, "--encoder")
    if encoder and "qgdr" in encoder:
        from qgdr_pyserini.encode.queries import refuse_other_encoder

        for index in option_values(arguments, "--index"):
            refuse_other_encoder(index, encoder)
    search_with_pyserini(arguments)
