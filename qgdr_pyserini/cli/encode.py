"""``qgdr encode-corpus``: from passages to an index."""

from __future__ import annotations

import click


@click.command("encode-corpus")
@click.option(
    "--corpus", required=True, metavar="PATH", help="JSON Lines file (.gz too), or a directory of them."
)
@click.option("--index", required=True, metavar="DIR", help="The index's directory.")
@click.option(
    "--encoder", default="qgdr", show_default=True, metavar="NAME|PATH", help="A shipped encoder or a folder."
)
@click.option(
    "--index-type", type=click.Choice(["flat"]), default="flat", show_default=True, help="Kind of index."
)
@click.option("--device", metavar="D", help="cpu, cuda, cuda:1, …  [default: a GPU where there is one]")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads.  [default: all cores]")
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
@click.option("--overwrite", is_flag=True, help="Replace an index that stands there.")
def encode_corpus(
    corpus: str,
    index: str,
    encoder: str,
    index_type: str,
    device: str | None,
    threads: int | None,
    max_length: int | None,
    precision: str,
    batch_tokens: int | None,
    overwrite: bool,
) -> None:
    """Encode a corpus into a FAISS index that Pyserini searches.

    The corpus is read as a stream; the index appears only when it is whole.

    \b
    Example:
      qgdr encode-corpus --corpus collections/xquad/corpus.jsonl --index indexes/xquad.qgdr
    """
    from qgdr_pyserini.encode import corpus_encoder
    from qgdr_pyserini.encode.options import EncodingOptions
    from qgdr_pyserini.encode.progress import progress
    from qgdr_pyserini.encode.threads import limit_threads

    limit_threads(threads)
    options = EncodingOptions(device, max_length, batch_tokens, index_type=index_type, precision=precision)
    with progress("passages") as advance:
        done = corpus_encoder.encode_corpus(
            corpus, index, encoder, overwrite=overwrite, options=options, advance=advance, tell=_tell
        )
    rate = done.passages / done.seconds
    click.echo(f"{done.passages:,} passages in {done.seconds:.1f} s, {rate:,.1f} passages/s: {done.index}")


def _tell(message: str) -> None:
    click.echo(message, err=True)
