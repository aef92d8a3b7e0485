"""``qgdr merge-shards``: from shards to one index."""

from __future__ import annotations

from typing import Any

import click

from qgdr_pyserini.cli.options import index_parameters, index_type_options, store_option


@click.command("merge-shards")
@click.argument("shards", nargs=-1, required=True, metavar="SHARD…")
@click.option("--index", required=True, metavar="DIR", help="The index's directory.")
@index_type_options(default="the one that the shards were encoded for")
@store_option
@click.option("--overwrite", is_flag=True, help="Replace an index that stands there.")
def merge_shards(
    shards: tuple[str, ...],
    index: str,
    index_type: str | None,
    store: bool,
    overwrite: bool,
    **parameters: Any,
) -> None:
    """Join the shards of a corpus into the index that an undivided run would have made.

    \b
    Example:
      qgdr encode-corpus --corpus wiki/ --index shards/1 --shard 1/2
      qgdr encode-corpus --corpus wiki/ --index shards/2 --shard 2/2
      qgdr merge-shards --index indexes/wiki shards/1 shards/2
    """
    from qgdr_pyserini.encode import merge

    merged = merge.merge_shards(
        index,
        shards,
        index_type=index_type,
        index_parameters=index_parameters(parameters),
        store=store,
        overwrite=overwrite,
    )
    click.echo(f"{merged.passages:,} passages of {len(shards)} shards, {merged.index_type}: {index}")
