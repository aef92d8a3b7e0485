"""``qgdr index-report``: what an index costs and finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qgdr_pyserini.cli.columns import columns

if TYPE_CHECKING:
    from qgdr_pyserini.encode.report import IndexReport, Row


@click.command("index-report")
@click.argument("index", metavar="INDEX")
@click.option(
    "--topics", required=True, multiple=True, metavar="FILE", help="Questions; a file, or a quoted pattern."
)
@click.option("--exact", metavar="DIR", help="A flat index of the same corpus, to measure recall against.")
@click.option("--encoder", metavar="NAME|PATH", help="Of the questions.  [default: the index's]")
@click.option("--k", type=click.IntRange(min=1), default=10, show_default=True, help="Passages wanted.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of FAISS.")
def index_report(
    index: str, topics: tuple[str, ...], exact: str | None, encoder: str | None, k: int, threads: int
) -> None:
    """Show an index's size, its recall against exact search, and its speed, by setting.

    nprobe (of an inverted file) and efSearch (of an HNSW graph) are tried around what is saved in the file,
    marked *, which is what Pyserini searches with. Recall of types that keep no exact vectors (fp16, sq8, pq,
    ivfpq, …) needs --exact.

    \b
    Example:
      qgdr index-report indexes/wiki.ivf --topics 'topics.*.tsv' --exact indexes/wiki.flat
    """
    from qgdr_pyserini.encode.report import report_index
    from qgdr_pyserini.files import expand_pattern

    files = [file for pattern in topics for file in expand_pattern(pattern)]
    report = report_index(index, files, exact=exact, encoder=encoder, k=k, threads=threads)
    for line in _lines(report, threads):
        click.echo(line)


def _lines(report: IndexReport, threads: int) -> list[str]:
    each = report.size / max(1, report.passages)
    rows = [("setting", f"recall@{report.k}", "queries/s", "in batches of 64"), *map(_cells, report.rows)]
    vectors = f"{report.passages:,} passages of dimension {report.dimension}"
    against = f"recall against {report.exact}" if report.exact else "recall needs --exact, a flat index"
    return [
        f"{report.index_type}: {vectors} by {report.encoder}",
        f"size {report.size / 1e6:,.1f} MB, {each:,.0f} bytes a passage",
        f"{report.queries:,} questions, {threads} threads; {against}",
        "",
        *columns(rows),
    ]


def _cells(row: Row) -> tuple[str, str, str, str]:
    recall = "-" if row.recall is None else f"{row.recall:.3f}"
    mark = "*" if row.saved else " "
    return f"{row.setting or 'as it is'} {mark}", recall, f"{row.single:,.0f}", f"{row.batch:,.0f}"
