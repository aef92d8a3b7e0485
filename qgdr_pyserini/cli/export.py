"""``qgdr export``: an index for other systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from qgdr_pyserini.cli.options import Command, threads_option

if TYPE_CHECKING:
    from qgdr_pyserini.pyserini_plugin.lucene_vectors import Kind


def _places(command: Command) -> Command:
    """Add the options of what is read and written."""
    for option in (
        click.option("--overwrite", is_flag=True, help="Replace what stands there."),
        click.option("--output", required=True, metavar="DIR", help="What is written."),
        click.option("--index", required=True, metavar="DIR", help="An index that encode-corpus made."),
    ):
        command = option(command)
    return command


@click.group()
def export() -> None:
    """Write an index's vectors for Lucene or Milvus; nothing is encoded again.

    \b
    Example:
      qgdr export lucene --index indexes/wiki --output indexes/wiki.hnsw
    """


@export.command()
@_places
@click.option(
    "--kind",
    type=click.Choice(["hnsw", "flat"]),
    default="hnsw",
    show_default=True,
    help="A graph, or every vector in turn.",
)
@threads_option
def lucene(index: str, output: str, overwrite: bool, kind: str, threads: int | None) -> None:
    """Make a Lucene index, which pyserini.search.lucene --dense searches.

    \b
    Example:
      qgdr export lucene --index indexes/wiki --output indexes/wiki.hnsw
      python -m pyserini.search.lucene --dense --hnsw --index indexes/wiki.hnsw \\
        --onnx-encoder qgdr --topics topics.de.tsv --output run.txt
    """
    from qgdr_pyserini.progress import progress
    from qgdr_pyserini.pyserini_plugin.lucene_vectors import export_to_lucene

    with progress("passages") as advance:
        done = export_to_lucene(
            index, output, cast("Kind", kind), threads=threads, overwrite=overwrite, advance=advance
        )
    click.echo(f"{done.passages:,} passages, Lucene {kind}: {output}")


@export.command()
@_places
def milvus(index: str, output: str, overwrite: bool) -> None:
    """Write Parquet files that Milvus imports in bulk, and the schema of their collection.

    \b
    Example:
      qgdr export milvus --index indexes/wiki --output wiki.milvus
    """
    from qgdr_pyserini.encode.export import export_to_milvus

    done = export_to_milvus(index, output, overwrite=overwrite)
    click.echo(f"{done.passages:,} passages, Parquet and schema.json: {output}")
