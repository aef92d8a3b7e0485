"""Options that several commands have."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from qgdr_pyserini.encode.faiss_types import INDEX_TYPES, IndexParameters
from qgdr_pyserini.model.config import POOLINGS

Command = Callable[..., Any]
"""A command, or what is about to be one."""

topics_option = click.option(
    "--topics",
    required=True,
    multiple=True,
    metavar="FILE",
    help="Questions, topics.LANG.tsv, or a quoted pattern of such files; once for each.",
)
encoder_option = click.option(
    "--encoder",
    default="qgdr",
    show_default=True,
    metavar="NAME|PATH",
    help="A shipped encoder; a folder, sentence-transformers' too; or a name on the Hugging Face hub. A+B: A "
    "for questions, B for passages.",
)
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads.  [default: all cores]"
)
device_option = click.option(
    "--device", default="cpu", show_default=True, metavar="D", help="cpu, cuda, cuda:1, …"
)
store_option = click.option(
    "--store/--no-store",
    default=True,
    help="Keep the passages themselves beside the index, for 'qgdr ask' and 'qgdr serve'.  [default: store]",
)
teacher_option = click.option(
    "--teacher",
    required=True,
    metavar="NAME|PATH",
    help="A query generator (seq2seq or causal; GGUF too), a cross-encoder, or one of our encoders.",
)


def asked_index(command: Command) -> Command:
    """Add the options that say what is asked: --index, --encoder, --corpus, --bm25 and --device."""
    for option in (
        device_option,
        click.option(
            "--bm25",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="The passages' Lucene index, for BM25; made there if there is none.",
        ),
        click.option(
            "--corpus", metavar="PATH", help="What the index was made of, where it has no passages beside it."
        ),
        click.option("--encoder", metavar="NAME|PATH", help="Of the questions.  [default: the index's]"),
        click.option(
            "--index",
            required=True,
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="What 'qgdr encode-corpus' made.",
        ),
    ):
        command = option(command)
    return command


def encoder_settings(command: Command) -> Command:
    """Add the options for encoders whose folder leaves something open, which `EncoderOptions` takes."""
    for option in (
        click.option(
            "--normalize/--no-normalize",
            default=None,
            help="Whether to scale vectors to length 1, where the encoder's folder does not say.",
        ),
        click.option(
            "--passage-prefix", metavar="TEXT", help="Put before passages, where the folder does not say."
        ),
        click.option(
            "--query-prefix", metavar="TEXT", help="Put before questions, where the folder does not say."
        ),
        click.option(
            "--pooling",
            type=click.Choice(POOLINGS),
            help="How tokens make one vector, where the encoder's folder does not say.",
        ),
    ):
        command = option(command)
    return command


def index_type_options(default: str) -> Callable[[Command], Command]:
    """Add --index-type and its parameters, which `IndexType` takes.

    Parameters
    ----------
    default
        What happens without --index-type, for the help.
    """
    numbers = {
        "--hnsw-m": (2, "M of hnsw: links of a vector.  [default: 32]"),
        "--ef-construction": (1, "efConstruction of HNSW graphs.  [default: 200]"),
        "--ef-search": (1, "efSearch of HNSW graphs, saved in the file.  [default: 128]"),
        "--nlist": (1, "Cells of ivf and ivfpq.  [default: four times the passages' square root]"),
        "--nprobe": (1, "Cells that a search visits, saved in the file.  [default: a quarter, 64 at most]"),
        "--pq-m": (1, "m of pq and ivfpq: parts of a code.  [default: a quarter of the dimension]"),
        "--pq-nbits": (1, "nbits of pq and ivfpq: bits of a part.  [default: 8]"),
    }

    def add(command: Command) -> Command:
        for name, (least, text) in reversed(numbers.items()):
            command = click.option(name, type=click.IntRange(min=least), metavar="N", help=text)(command)
        help_text = (
            f"{', '.join(INDEX_TYPES)}, or a FAISS factory string as OPQ16,IVF256,PQ16.  [default: {default}]"
        )
        return click.option("--index-type", metavar="TYPE", help=help_text)(command)

    return add


def index_parameters(options: dict[str, Any]) -> IndexParameters:
    """Take the parameters of `index_type_options` out of a command's options."""
    names = [field.name for field in dataclasses.fields(IndexParameters)]
    return IndexParameters(**{name: options.pop(name) for name in names})


def computing(command: Command) -> Command:
    """Add the options of what computes with a teacher: --batch-size, --precision and --device."""
    for option in (
        click.option(
            "--batch-size",
            type=click.IntRange(min=1),
            default=16,
            show_default=True,
            metavar="N",
            help="Passages, or pairs, computed at a time.",
        ),
        click.option(
            "--precision",
            type=click.Choice(["auto", "fp32", "bf16"]),
            default="fp32",
            show_default=True,
            help="Of the teacher; auto is bf16 where that is faster. There is no fp16: mT5 overflows in it.",
        ),
        device_option,
    ):
        command = option(command)
    return command
