"""The top of the ``qgdr`` command."""

from __future__ import annotations

import click

from qgdr_pyserini import __version__
from qgdr_pyserini.cli.ask import ask
from qgdr_pyserini.cli.bm25 import bm25
from qgdr_pyserini.cli.collection import collection
from qgdr_pyserini.cli.combine_scores import combine_scores
from qgdr_pyserini.cli.compare import compare
from qgdr_pyserini.cli.demo import demo
from qgdr_pyserini.cli.doctor import doctor
from qgdr_pyserini.cli.embeddings import import_embeddings
from qgdr_pyserini.cli.encode import encode_corpus, encode_queries
from qgdr_pyserini.cli.encoders import encoders
from qgdr_pyserini.cli.export import export
from qgdr_pyserini.cli.group import OneLineErrorGroup
from qgdr_pyserini.cli.index_report import index_report
from qgdr_pyserini.cli.plan import plan
from qgdr_pyserini.cli.reproduce import reproduce
from qgdr_pyserini.cli.rerank import rerank
from qgdr_pyserini.cli.search import search
from qgdr_pyserini.cli.serve import serve
from qgdr_pyserini.cli.shards import merge_shards
from qgdr_pyserini.cli.steps import generate_queries, mine_negatives, score
from qgdr_pyserini.cli.train import train


@click.group(cls=OneLineErrorGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qgdr")
def main() -> None:
    """Cross-lingual dense retrieval inside Pyserini.

    A question in any language finds the English passages that answer it.
    """


_COMMANDS = (
    ask,
    bm25,
    collection,
    combine_scores,
    compare,
    demo,
    doctor,
    encode_corpus,
    encode_queries,
    encoders,
    export,
    generate_queries,
    import_embeddings,
    index_report,
    merge_shards,
    mine_negatives,
    plan,
    reproduce,
    rerank,
    score,
    search,
    serve,
    train,
)
for command in _COMMANDS:
    main.add_command(command)
