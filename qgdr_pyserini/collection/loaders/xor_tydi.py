"""XOR-TyDi retrieve: questions in seven languages whose answers are in English Wikipedia.

Asai et al. (2021), "XOR QA: Cross-lingual Open-Retrieval Question Answering". The original files have
questions and answers, no passages; those are 18 million, at ``Tevatron/xor-tydi-corpus`` on the hub.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.collection import Collection, refuse_output, write_collection
from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.hub import Fetch, fetch_files, find_files
from qgdr_pyserini.collection.jsonl import read_objects
from qgdr_pyserini.collection.loaders.base import HUB, BuildRequest, Question, gather, read_corpora, register
from qgdr_pyserini.collection.tydi_language import tydi_language
from qgdr_pyserini.errors import InputError

SOURCE = "XOR-TyDi retrieve, English spans (https://github.com/AkariAsai/XORQA)"
LICENCE = "MIT (questions), CC BY-SA 3.0 (passages of Wikipedia)"
ORIGIN = "fetch it from https://nlp.cs.washington.edu/xorqa, or pass --source hub"
QUESTIONS, PASSAGES = "Tevatron/xor-tydi", "Tevatron/xor-tydi-corpus"


@register(
    "xor-tydi",
    "XOR-TyDi retrieve: questions in 7 languages with English answers; DIR holds "
    "xor_dev_retrieve_eng_span_v1_1.jsonl; passages by --corpus",
    options=("corpus", "languages", "split"),
)
def build_xor_tydi(request: BuildRequest, fetch: Fetch = fetch_files) -> Collection:
    """Build XOR-TyDi.

    Parameters
    ----------
    request
        ``source`` has ``xor_dev_retrieve_eng_span_v1_1.jsonl`` or the hub's file; ``corpus`` its passages: a
        corpus, ``hub``, or None for a collection without any. ``split`` is ``dev`` if not given.
    fetch
        What fetches files from the hub.

    Raises
    ------
    QgdrError
        If a file is missing or malformed, or something stands at ``output`` that may not be replaced.
    """
    source = request.needed_source("xor-tydi", "xor_dev_retrieve_eng_span_v1_1.jsonl")
    refuse_output(request.output, overwrite=request.overwrite)
    split = request.split or "dev"
    if source == HUB:
        source = fetch(QUESTIONS, [f"*eng_span*{split}*", f"*{split}*eng_span*"])
    patterns = [
        f"xor_{split}_retrieve_eng_span*.jsonl*",
        f"*eng_span*/{split}*.jsonl*",
        f"*eng_span*{split}*.jsonl*",
        f"*{split}*eng_span*.jsonl*",
    ]
    files = find_files(Path(source), patterns, ORIGIN)
    questions = [row for file in files for row in _read(file) if request.wants(row.lang)]
    contents = gather("xor-tydi", SOURCE, LICENCE, questions, find_passages(request, fetch))
    return write_collection(request.output, contents, overwrite=request.overwrite)


def find_passages(request: BuildRequest, fetch: Fetch) -> Iterator[Passage] | None:
    """Stream the passages that a request names; None if it names none."""
    if request.corpus is None:
        return None
    if request.corpus != HUB:
        return read_corpus(request.corpus)
    folder = fetch(PASSAGES, ["*eng_span*", "corpus.jsonl*"])
    patterns = ["*eng_span*/*.jsonl*", "*eng_span*.jsonl*", "*.jsonl*"]
    return read_corpora(find_files(folder, patterns, f"fetched from {PASSAGES}; give --corpus PATH"))


def _read(file: Path) -> Iterator[Question]:
    for line, row in read_objects(file):
        text, number = row.get("question", row.get("query")), row.get("id", row.get("query_id"))
        answers = row.get("answers", [])
        if not isinstance(text, str) or not isinstance(number, (str, int)) or not _strings(answers):
            raise InputError("needs 'id', 'question' and 'answers', a list of strings", file, line)
        lang = row.get("lang") or tydi_language(text)
        relevant = [(str(passage.get("docid")), 1) for passage in row.get("positive_passages", [])]
        answers = tuple(dict.fromkeys(answers))
        question = " ".join(text.split())
        yield Question(f"xor-tydi-{lang}-{number}", lang, question, tuple(dict(relevant).items()), answers)


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
