"""Collections in the two layouts that many sets come in: BEIR's and Tevatron's."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.collection import Collection, refuse_output, write_collection
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.hub import Fetch, fetch_files, find_files
from qgdr_pyserini.collection.jsonl import read_objects
from qgdr_pyserini.collection.loaders.base import HUB, BuildRequest, Question, gather, read_corpora, register
from qgdr_pyserini.collection.tevatron import CandidateList, read_candidates
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import read_lines

_HUB_NAME = f"{HUB}:"


@register(
    "beir",
    "any DIR with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv, or hub:NAME",
    options=("languages", "split"),
)
def build_beir(request: BuildRequest, fetch: Fetch = fetch_files) -> Collection:
    """Build a set in BEIR's layout.

    Parameters
    ----------
    request
        ``source`` is a folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/SPLIT.tsv``, or
        ``hub:NAME`` as ``hub:BeIR/scifact``, whose judgements are in ``NAME-qrels``. One language, English if
        not given, for all questions; ``split`` is ``test`` if not given.
    fetch
        What fetches files from the hub.

    Raises
    ------
    QgdrError
        If a file is missing or malformed, or something stands at ``output`` that may not be replaced.
    """
    folders, name = _places(request, fetch, "beir", ("", "-qrels"))
    refuse_output(request.output, overwrite=request.overwrite)
    split, language = f"{request.split or 'test'}.tsv", _one_language(request)
    origin = "BEIR's layout is corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv"
    passages = find_files(folders[0], ["corpus.jsonl*", "*corpus*.jsonl*"], origin)
    (queries, *_) = find_files(folders[0], ["queries.jsonl*", "*queries*.jsonl*"], origin)
    (qrels, *_) = find_files(folders[-1], [split], origin)
    questions = _judged(f"{name}-{language}", language, queries, qrels)
    contents = gather(name, str(request.source), "see the set's page", questions, read_corpora(passages))
    return write_collection(request.output, contents, overwrite=request.overwrite)


@register(
    "tevatron",
    "any DIR with SPLIT.jsonl and corpus.jsonl, or hub:NAME",
    options=("corpus", "languages", "split"),
)
def build_tevatron(request: BuildRequest, fetch: Fetch = fetch_files) -> Collection:
    """Build a set in Tevatron's layout.

    Parameters
    ----------
    request
        ``source`` is a folder with ``SPLIT.jsonl`` (``query_id``, ``query``, ``positive_passages``, maybe
        ``answers`` and ``lang``) and ``corpus.jsonl``, or ``hub:NAME``; ``corpus`` names a corpus elsewhere.
        Without any, the corpus is made of all passages in the file, negative ones too. ``split`` is ``dev``
        if not given.
    fetch
        What fetches files from the hub.

    Raises
    ------
    QgdrError
        If a file is missing or malformed, or something stands at ``output`` that may not be replaced.
    """
    folders, name = _places(request, fetch, "tevatron", ("",))
    refuse_output(request.output, overwrite=request.overwrite)
    split, default = request.split or "dev", _one_language(request)
    origin = f"Tevatron's layout is {split}.jsonl and corpus.jsonl"
    (file, *_) = find_files(folders[0], [f"{split}.jsonl*", f"*{split}*.jsonl*"], origin)
    questions = (_question(name, row, row.lang or default) for row in read_candidates(file))
    passages = _tevatron_passages(request, folders[0], file)
    contents = gather(name, str(request.source), "see the set's page", questions, passages)
    return write_collection(request.output, contents, overwrite=request.overwrite)


def _places(
    request: BuildRequest, fetch: Fetch, kind: str, suffixes: Sequence[str]
) -> tuple[list[Path], str]:
    """Find the folders of a set, and a name for it."""
    source = os.fspath(request.needed_source(kind, "its files"))
    if source == HUB:
        raise QgdrError(f"{kind} sets have many names on the hub; pass --source hub:NAME")
    if source.startswith(_HUB_NAME):
        name = source.removeprefix(_HUB_NAME)
        return [fetch(f"{name}{suffix}", ["*.jsonl*", "*.tsv"]) for suffix in suffixes], _plain(name)
    return [Path(source)], _plain(Path(source).resolve().name)


def _plain(name: str) -> str:
    return "-".join(name.rsplit("/", 1)[-1].lower().split())


def _one_language(request: BuildRequest) -> str:
    if len(request.languages) > 1:
        raise QgdrError("the questions have no language of their own; pass --language once")
    return request.languages[0] if request.languages else "en"


def _judged(prefix: str, language: str, queries: Path, qrels: Path) -> Iterator[Question]:
    """Give the queries that have judgements, as BEIR's own loader does."""
    judged = _read_judgements(qrels)
    for line, row in read_objects(queries):
        qid, text = row.get("_id"), row.get("text")
        if not isinstance(qid, str) or not isinstance(text, str):
            raise InputError("needs '_id' and 'text' as strings", queries, line)
        if qid in judged:
            qid, relevant = f"{prefix}-{'_'.join(qid.split())}", tuple(judged[qid].items())
            yield Question(qid, language, " ".join(text.split()), relevant)


def _read_judgements(path: Path) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for number, line in read_lines(path):
        columns = next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE), [])
        if number == 1 and columns[-1:] == ["score"]:
            continue
        if len(columns) != 3 or not columns[2].lstrip("-").isdigit():
            raise InputError("needs 3 columns 'query-id corpus-id score' with tabs between", path, number)
        judged.setdefault(columns[0], {})[columns[1]] = int(columns[2])
    return judged


def _question(name: str, row: CandidateList, lang: str) -> Question:
    relevant = {item.passage.docid: 1 for item in row.positives}
    qid = f"{name}-{lang}-{'_'.join(row.query_id.split())}"
    return Question(qid, lang, " ".join(row.query.split()), tuple(relevant.items()), row.answers or None)


def _tevatron_passages(request: BuildRequest, folder: Path, file: Path) -> Iterator[Passage]:
    if request.corpus is not None:
        return read_corpora([Path(request.corpus)])
    files = sorted(path for path in folder.rglob("*corpus*.jsonl*") if path != file)
    return read_corpora(files) if files else _passages_of(file)


def _passages_of(file: Path) -> Iterator[Passage]:
    seen: set[str] = set()
    for row in read_candidates(file):
        for item in row.candidates:
            if item.passage.docid not in seen:
                seen.add(item.passage.docid)
                yield item.passage
