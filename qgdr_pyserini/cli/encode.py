"""``qgdr encode-corpus``: from passages to an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from qgdr_pyserini.cli.options import (
    device_option,
    encoder_option,
    encoder_settings,
    index_parameters,
    index_type_options,
    store_option,
    threads_option,
)

if TYPE_CHECKING:
    from qgdr_pyserini.encode.encode_corpus import EncodedCorpus
    from qgdr_pyserini.encode.truncation import Truncation


@click.command("encode-corpus")
@click.option(
    "--corpus",
    required=True,
    metavar="PATH",
    help="JSON Lines (.gz too) or Parquet file, a directory of them or of a saved dataset, or hub:NAME.",
)
@click.option("--index", required=True, metavar="DIR", help="The index's directory.")
@encoder_option
@encoder_settings
@index_type_options(default="flat; when resuming, what it was begun with")
@click.option(
    "--device", metavar="D", help="cpu, cuda, or several: cuda:0,cuda:1.  [default: a GPU where there is one]"
)
@threads_option
@click.option(
    "--max-length",
    type=click.IntRange(min=4),
    metavar="N",
    help="Tokens at which passages are cut.  [default: the encoder's]",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16", "int8"]),
    default="auto",
    show_default=True,
    help="Number format; auto takes bf16 where a measurement shows it to be faster, else fp32.",
)
@click.option(
    "--batch-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    help="Tokens computed at a time.  [default: chosen for the device]",
)
@click.option(
    "--split",
    type=click.IntRange(min=1),
    metavar="TOKENS",
    help="Split documents into segments DOCID#0, DOCID#1, … of at most so many tokens, at sentence ends.",
)
@click.option(
    "--stride",
    type=click.IntRange(min=1),
    metavar="TOKENS",
    help="With --split: tokens from one segment's beginning to the next.  [default: no overlap]",
)
@click.option("--shard", metavar="I/N", help="Encode part I of N; 'qgdr merge-shards' joins the parts.")
@store_option
@click.option("--resume", is_flag=True, help="Go on where a run stopped; begin where none did.")
@click.option("--overwrite", is_flag=True, help="Replace an index that stands there; drop unfinished work.")
def encode_corpus(
    corpus: str,
    index: str,
    encoder: str,
    index_type: str | None,
    device: str | None,
    threads: int | None,
    max_length: int | None,
    precision: str,
    batch_tokens: int | None,
    split: int | None,
    stride: int | None,
    shard: str | None,
    store: bool,
    resume: bool,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Encode a corpus into a FAISS index that Pyserini searches.

    The corpus is read as a stream; the index appears only when it is whole. What is done is kept in
    INDEX.partial: whatever stopped a run, the same command with --resume goes on from there, and the
    index comes out as if nothing had happened.

    Text beyond --max-length is not read; how much that is, is said at the end. With --split, documents are
    read whole, as segments that each have the title, and 'qgdr search' ranks documents by their best.

    What is said of an encoder whose own folder leaves it open is noted in the index's qgdr.json, and
    whatever searches the index encodes its questions accordingly.

    \b
    Example:
      qgdr encode-corpus --corpus collections/xquad/corpus.jsonl --index indexes/xquad.qgdr
      qgdr encode-corpus --corpus wiki/ --index indexes/wiki --encoder qgdr --resume
      qgdr encode-corpus --corpus wiki/ --index indexes/wiki.ivf --index-type IVF4096,PQ48 --nprobe 32
      qgdr encode-corpus --corpus news/ --index indexes/news --split 256 --stride 128
      qgdr encode-corpus --corpus hub:Tevatron/xor-tydi-corpus --index indexes/xor-tydi
      qgdr encode-corpus --corpus wiki/ --index indexes/wiki.e5 --encoder intfloat/multilingual-e5-small \
        --query-prefix "query: " --passage-prefix "passage: "
    """
    from qgdr_pyserini.encode import encode_corpus as engine
    from qgdr_pyserini.encode.faiss_access import limit_threads
    from qgdr_pyserini.encode.options import EncodingOptions, Shard
    from qgdr_pyserini.encode.split import split_of
    from qgdr_pyserini.model.config import EncoderOptions
    from qgdr_pyserini.progress import progress

    limit_threads(threads)
    options = EncodingOptions(
        device,
        max_length,
        batch_tokens,
        index_type=index_type,
        index_parameters=index_parameters(settings),
        precision=precision,
        shard=Shard.parse(shard or "1/1"),
        settings=EncoderOptions(**settings),
        store=store,
        split=split_of(split, stride),
    )
    with progress("passages") as advance:
        done = engine.encode_corpus(
            corpus,
            index,
            encoder,
            resume=resume,
            overwrite=overwrite,
            options=options,
            advance=advance,
            tell=_tell,
        )
    click.echo(_summary(done))
    if done.manifest and done.manifest.truncation and not done.manifest.split:
        _tell(_cut(done.manifest.truncation, done.passages, done.manifest.max_length))


def _summary(done: EncodedCorpus) -> str:
    new = done.passages - done.resumed
    rate = f" in {done.seconds:.1f} s, {new / done.seconds:,.1f} passages/s" if new else ""
    before = f" ({done.resumed:,} before)" if done.resumed else ""
    return f"{done.passages:,} passages{before}{rate}: {done.index}"


def _cut(truncation: Truncation, passages: int, max_length: int) -> str:
    advice = "; --split makes segments of long documents" if truncation.passages else ""
    return truncation.describe(passages, max_length) + advice


def _tell(message: str) -> None:
    click.echo(message, err=True)


@click.command("encode-queries")
@click.option("--topics", required=True, metavar="FILE", help="Questions, a line 'qid<TAB>question' each.")
@click.option("--output", required=True, metavar="DIR", help="Directory for --encoded-queries.")
@encoder_option
@encoder_settings
@click.option("--index", metavar="DIR", help="Make sure that this index was made by the same encoder.")
@device_option
@click.option("--overwrite", is_flag=True, help="Replace what stands at the output.")
def encode_queries(
    topics: str,
    output: str,
    encoder: str,
    index: str | None,
    device: str,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Encode questions for Pyserini's --encoded-queries.

    \b
    Example:
      qgdr encode-queries --topics collections/xquad/topics.de.tsv --output queries/xquad.de
      python -m pyserini.search.faiss --encoded-queries queries/xquad.de --index indexes/xquad.qgdr \\
        --topics collections/xquad/topics.de.tsv --output runs/xquad.de.txt
    """
    from qgdr_pyserini.encode import queries
    from qgdr_pyserini.model.config import EncoderOptions

    count = queries.encode_queries(
        topics,
        output,
        encoder,
        index=index,
        device=device,
        overwrite=overwrite,
        settings=EncoderOptions(**settings),
        tell=_tell,
    )
    click.echo(f"{count:,} queries: {output}")
