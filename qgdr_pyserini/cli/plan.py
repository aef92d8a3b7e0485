"""``qgdr plan``: what an index will need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qgdr_pyserini.cli.columns import columns

if TYPE_CHECKING:
    from qgdr_pyserini.encode.plan import PlannedIndex


@click.command()
@click.option("--passages", required=True, type=click.IntRange(min=2), metavar="N", help="In the corpus.")
@click.option(
    "--dimension",
    type=click.IntRange(min=1),
    default=384,
    show_default=True,
    metavar="D",
    help="Of the encoder's vectors.",
)
@click.option(
    "--id-length", type=click.IntRange(min=1), default=12, show_default=True, help="Bytes of a passage's id."
)
@click.option(
    "--index-type",
    "index_types",
    multiple=True,
    metavar="TYPE",
    help="Plan this one: a name, or a FAISS factory string; once for each.  [default: all names]",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="P",
    help="Passages a second, as encode-corpus prints at its end; tells how long it will take.",
)
def plan(
    passages: int, dimension: int, id_length: int, index_types: tuple[str, ...], rate: float | None
) -> None:
    """Tell how much disk and memory each kind of index needs, before a corpus is encoded.

    Sizes are those of the files that encode-corpus writes. Memory comes on top of the program itself: an
    upper estimate of what FAISS needs to make the index, and what a search keeps.

    \b
    Example:
      qgdr plan --passages 21015324 --dimension 384
      qgdr plan --passages 21015324 --dimension 384 --rate 250
      qgdr plan --passages 21015324 --index-type ivfpq --index-type OPQ48,IVF16384,PQ48
    """
    import faiss  # noqa: F401  by itself, see import_faiss: planning computes nothing with torch

    # isort: split
    from qgdr_pyserini.encode.faiss_types import IndexType
    from qgdr_pyserini.encode.plan import plan_indexes

    planned = plan_indexes(passages, dimension, id_length, [IndexType(name) for name in index_types])
    for line in (*_heading(passages, dimension, rate), "", *_table(planned, passages)):
        click.echo(line)


def _heading(passages: int, dimension: int, rate: float | None) -> list[str]:
    heading = [f"{passages:,} passages, vectors of dimension {dimension}"]
    if rate:
        minutes = round(passages / rate / 60)
        heading.append(f"encoding at {rate:,g} passages/s: {minutes // 60:,} h {minutes % 60:02} min")
    return heading


def _table(planned: list[PlannedIndex], passages: int) -> list[str]:
    head = ("index type", "bytes a passage", "index", "disk, making it", "memory, making it", "searching it")
    return columns([head, *(_cells(one, passages) for one in planned)])


def _cells(one: PlannedIndex, passages: int) -> tuple[str, ...]:
    sizes = (one.index, one.disk, one.building, one.searching)
    return one.index_type, f"{one.index / passages:,.0f}", *map(_size, sizes)


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
