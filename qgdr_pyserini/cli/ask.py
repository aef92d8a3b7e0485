"""``qgdr ask``: passages for a question, with their text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from qgdr_pyserini.cli.options import asked_index

_TOGETHER = 64


@click.command()
@click.argument("questions", nargs=-1, metavar="[QUESTION…]")
@asked_index
@click.option(
    "--hits",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    metavar="N",
    help="Passages a question.",
)
@click.option(
    "--mode",
    "modes",
    type=click.Choice(["dense", "bm25", "hybrid"]),
    multiple=True,
    help="How to search; several are shown side by side.  [default: dense, and bm25 where --bm25 is given]",
)
@click.option("--compare", metavar="NAME|PATH", help="Another encoder to set beside, with --compare-index.")
@click.option(
    "--compare-index",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Another index of the same passages, to set beside.",
)
@click.option("--language", metavar="LANG", help="Of the questions.  [default: told by their letters]")
@click.option("--full", is_flag=True, help="Print whole passages.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a question instead.")
def ask(questions: tuple[str, ...], full: bool, as_json: bool, **options: Any) -> None:
    """Answer questions in any language with the passages of an index.

    Prints rank, score, title, id and text of each passage; words that it shares with the question stand
    out. Without a question, or with "-", questions are read from standard input, one a line.

    The passages come from the store that 'qgdr encode-corpus' puts beside an index. For BM25, Lucene's
    index of them is made in the folder that --bm25 names, unless it is there.

    \b
    Example:
      qgdr ask --index indexes/xquad.qgdr "Wo entspringt die Donau?" "多瑙河发源于哪里？"
      qgdr ask --index indexes/xquad.qgdr --bm25 indexes/xquad.bm25 --hits 3 "Who discovered penicillin?"
      cut -f2 collections/xquad/topics.ar.tsv | qgdr ask --index indexes/xquad.qgdr --json
    """
    from qgdr_pyserini.waiting import wait_passively

    wait_passively()
    from qgdr_pyserini.ask.asking import AskRequest
    from qgdr_pyserini.ask.asking import ask as ask_index

    request = AskRequest(**options)
    typed = bool(questions) and questions != ("-",)
    # At a terminal, every line is answered before the next is read.
    together = _TOGETHER if typed or not sys.stdin.isatty() else 1
    asked: Iterable[str] = questions if typed else _lines()
    for answers in ask_index(request, asked, together=together, tell=_tell):
        _show(answers, full, as_json)


def _show(answers: list[Any], full: bool, as_json: bool) -> None:
    if as_json:
        click.echo(_json(answers))
        return
    from qgdr_pyserini.ask.terminal import print_answers

    print_answers(answers, full=full)


def _json(answers: list[Any]) -> str:
    import dataclasses
    import json

    systems = [
        {"system": answer.system, "hits": list(map(dataclasses.asdict, answer.hits))} for answer in answers
    ]
    question = {"question": answers[0].question, "language": answers[0].language, "systems": systems}
    return json.dumps(question, ensure_ascii=False)


def _lines() -> Iterator[str]:
    from qgdr_pyserini.errors import InputError

    at_terminal = sys.stdin.isatty()
    number = 0
    while True:
        if at_terminal:
            click.echo("? ", nl=False, err=True)
        line = sys.stdin.buffer.readline()
        number += 1
        if not line:
            return
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"not UTF-8 ({error.reason}); convert it first", "stdin", number) from None


def _tell(message: str) -> None:
    click.echo(message, err=True)
