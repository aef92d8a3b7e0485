"""``qgdr import-embeddings``: from vectors to an index."""

from __future__ import annotations

from typing import Any

import click

from qgdr_pyserini.cli.options import index_parameters, index_type_options


@click.command("import-embeddings")
@click.option(
    "--vectors",
    required=True,
    multiple=True,
    metavar="FILE",
    help=".npy, .parquet (columns id, embedding) or, with --allow-pickle, Tevatron's .pkl; once for each.",
)
@click.option("--ids", multiple=True, metavar="FILE", help="For each .npy: its ids, one a line.")
@click.option("--index", required=True, metavar="DIR", help="The index's directory.")
@click.option("--encoder", metavar="NAME|PATH", help="The encoder of ours that computed them, if one did.")
@index_type_options(default="flat")
@click.option("--allow-pickle", is_flag=True, help="Open pickles, which can run any program.")
@click.option("--overwrite", is_flag=True, help="Replace an index that stands there.")
def import_embeddings(
    vectors: tuple[str, ...],
    ids: tuple[str, ...],
    index: str,
    encoder: str | None,
    index_type: str | None,
    allow_pickle: bool,
    overwrite: bool,
    **parameters: Any,
) -> None:
    """Make an index that Pyserini searches from vectors that another tool computed.

    \b
    Example:
      qgdr import-embeddings --vectors corpus.npy --ids corpus.ids.txt --index indexes/wiki
      qgdr import-embeddings --vectors part-0.parquet --vectors part-1.parquet --index indexes/wiki
      qgdr import-embeddings --vectors corpus.pkl --allow-pickle --index indexes/wiki --index-type sq8
    """
    from qgdr_pyserini.encode import importing

    made = importing.import_embeddings(
        vectors,
        index,
        ids=ids,
        encoder=encoder,
        index_type="flat" if index_type is None else index_type,
        index_parameters=index_parameters(parameters),
        allow_pickle=allow_pickle,
        overwrite=overwrite,
    )
    click.echo(f"{made.passages:,} passages, dimension {made.dimension}, {made.index_type}: {index}")
