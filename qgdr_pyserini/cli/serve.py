"""``qgdr serve``: an index behind a web server."""

from __future__ import annotations

import sys
from typing import Any

import click

from qgdr_pyserini.cli.options import asked_index, threads_option

_PACKAGES = ("fastapi", "uvicorn")


@click.command()
@asked_index
@threads_option
@click.option(
    "--topics",
    multiple=True,
    metavar="FILE",
    help="Questions to pick from, topics.LANG.tsv, or a quoted pattern; once for each.",
)
@click.option("--qrels", metavar="FILE", help="Their judgements.")
@click.option(
    "--run", "runs", multiple=True, metavar="NAME=FILE", help="A TREC run to look into; once for each."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen; other than this machine's own, anyone who reaches it can ask.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one."
)
def serve(threads: int | None, **options: Any) -> None:
    """Serve an index: a page to ask it in any language, and a REST endpoint.

    The page shows passages with the question's words marked, found by vectors, by BM25 (with --bm25) or
    by both; with --topics, --qrels and --run it shows how runs did on a question. The endpoint's document
    is at /openapi.json.

    Needs the packages of the extra "serve": pip install 'qgdr-pyserini[serve]'

    \b
    Example:
      qgdr serve --index indexes/xquad.qgdr --bm25 indexes/xquad.bm25
      qgdr serve --index indexes/xquad.qgdr --topics 'collections/xquad/topics.*.tsv' \\
        --qrels collections/xquad/qrels.txt --run 'qgdr=runs/xquad.qgdr.*.txt'
      curl 'http://127.0.0.1:8000/search?hits=3&question=Wo+entspringt+die+Donau%3F'
    """
    _refuse_without_packages()
    from qgdr_pyserini.waiting import wait_passively

    wait_passively()
    from qgdr_pyserini.encode.faiss_access import limit_threads
    from qgdr_pyserini.serve.running import ServeRequest
    from qgdr_pyserini.serve.running import serve as serve_index

    limit_threads(threads)
    serve_index(ServeRequest(**options), _say, _tell)


def _refuse_without_packages() -> None:
    import importlib.util

    from qgdr_pyserini.errors import QgdrError

    for name in _PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise QgdrError(f"qgdr serve needs {name}; run: pip install 'qgdr-pyserini[serve]'")


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()


def _tell(line: str) -> None:
    click.echo(line, err=True)
