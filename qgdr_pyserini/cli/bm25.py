"""``qgdr bm25``: the baseline."""

from __future__ import annotations

from pathlib import Path

import click

from qgdr_pyserini.cli.options import threads_option, topics_option


@click.command()
@click.option("--corpus", metavar="PATH", help="JSON Lines file (.gz too), or a directory of them.")
@click.option(
    "--segments-of",
    metavar="INDEX",
    help="In place of a corpus: the segments of a dense index that --split made, to rank documents by.",
)
@topics_option
@click.option("--output", required=True, metavar="DIR", help="Where run.TAG.LANG.txt goes.")
@click.option(
    "--hits",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Passages a question.",
)
@threads_option
@click.option(
    "--language",
    metavar="LANG",
    help="Language of the passages, for stemming and stop words.  [default: as they say, else recognised]",
)
@click.option(
    "--k1", type=click.FloatRange(min=0), default=0.9, show_default=True, help="BM25's weight of repetition."
)
@click.option(
    "--b", type=click.FloatRange(0, 1), default=0.4, show_default=True, help="BM25's weight of length."
)
@click.option("--rm3", is_flag=True, help="Expand questions by Anserini's RM3 (10 terms of 10 passages).")
@click.option(
    "--lexicon",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Translate questions word by word: lines of language, word, translation, with tabs (.gz too).",
)
@click.option(
    "--names",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --lexicon: names and their Latin spelling, in the same format.",
)
@click.option(
    "--tag",
    default="bm25",
    show_default=True,
    metavar="TAG",
    help="What the runs and their files are called.",
)
@click.option(
    "--index",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the Lucene index here, or use the one kept here.  [default: thrown away]",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace runs, and an index of another corpus, that stand there."
)
def bm25(
    corpus: str | None,
    segments_of: str | None,
    topics: tuple[str, ...],
    output: str,
    hits: int,
    threads: int | None,
    language: str | None,
    k1: float,
    b: float,
    rm3: bool,
    lexicon: Path | None,
    names: Path | None,
    tag: str,
    index: Path | None,
    overwrite: bool,
) -> None:
    """Search a corpus with Pyserini's BM25, to have something to compare with.

    Writes one TREC run for each topics file. Questions are searched as they are, in their own language;
    with --lexicon, every word is replaced by its translations, and unknown words are kept.

    With --segments-of, documents are ranked by their best segment, as 'qgdr search' does in that index, so
    that the two runs can be fused.

    \b
    Example:
      qgdr bm25 --corpus collections/xquad/corpus.jsonl --output runs \\
        --topics 'collections/xquad/topics.*.tsv'
      qgdr bm25 --corpus collections/xquad/corpus.jsonl --output runs \\
        --topics 'collections/xquad/topics.*.tsv' --tag bm25-lexicon \\
        --lexicon data/train/lexicon.tsv.gz --names data/train/names.tsv.gz
      qgdr bm25 --segments-of indexes/news --topics 'collections/news/topics.*.tsv' --output runs
    """
    from qgdr_pyserini.errors import QgdrError
    from qgdr_pyserini.files import expand_pattern
    from qgdr_pyserini.progress import progress
    from qgdr_pyserini.pyserini_plugin.bm25 import Options, Reporter, write_bm25_runs

    def say(line: str) -> None:
        click.echo(line, err=True)

    searched = corpus or segments_of
    if searched is None or (corpus and segments_of):
        raise QgdrError("give either --corpus PATH or --segments-of INDEX, what is to be searched")
    files = [file for pattern in topics for file in expand_pattern(pattern)]
    options = Options(
        hits=hits,
        threads=threads,
        language=language,
        k1=k1,
        b=b,
        rm3=rm3,
        lexicon=lexicon,
        names=names,
        tag=tag,
        index=index,
        overwrite=overwrite,
        segments=segments_of is not None,
    )
    with progress("passages") as advance:
        runs = write_bm25_runs(searched, files, output, options, Reporter(say, advance))
    for run in runs:
        click.echo(f"Wrote {run}")
