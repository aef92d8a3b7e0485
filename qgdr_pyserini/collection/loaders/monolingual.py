"""Mr. TyDi and MIRACL: a corpus in each of many languages, and questions in the same language.

Zhang et al. (2021), "Mr. TyDi"; Zhang et al. (2023), "MIRACL".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qgdr_pyserini.collection.collection import Collection, refuse_output, write_collection
from qgdr_pyserini.collection.hub import Fetch, fetch_files, find_files
from qgdr_pyserini.collection.loaders.base import HUB, BuildRequest, Question, gather, read_corpora, register
from qgdr_pyserini.collection.tevatron import read_candidates
from qgdr_pyserini.collection.tydi_language import MR_TYDI
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_lines

MIRACL = (
    "ar", "bn", "de", "en", "es", "fa", "fi", "fr", "hi", "id", "ja", "ko", "ru", "sw", "te", "th", "yo",
    "zh",
)  # fmt: skip


@register(
    "mr-tydi",
    "Mr. TyDi: questions and passages in one --language; DIR holds mrtydi-v1.1-LANGUAGE/",
    options=("languages", "split"),
)
def build_mr_tydi(request: BuildRequest, fetch: Fetch = fetch_files) -> Collection:
    """Build one language of Mr. TyDi.

    Parameters
    ----------
    request
        ``source`` has ``mrtydi-v1.1-LANGUAGE/SPLIT.jsonl.gz`` and the passages in the same folder:
        ``corpus.jsonl.gz``, as on the hub, or ``collection/docs.jsonl.gz``, as in the original archives.
        ``split`` is ``test`` if not given.
    fetch
        What fetches files from the hub.

    Raises
    ------
    QgdrError
        If a file is missing or malformed, or something stands at ``output`` that may not be replaced.
    """
    language = request.only_language("mr-tydi", tuple(MR_TYDI))
    source = request.needed_source("mr-tydi", "mrtydi-v1.1-LANGUAGE/")
    refuse_output(request.output, overwrite=request.overwrite)
    folder, split = f"mrtydi-v1.1-{MR_TYDI[language]}", request.split or "test"
    places = [Path(source)]
    if source == HUB:
        places = [fetch(f"castorini/{name}", [f"{folder}/*"]) for name in ("mr-tydi", "mr-tydi-corpus")]
    origin = "fetch it from https://github.com/castorini/mr.tydi, or pass --source hub"
    (file, *_) = find_files(places[0], [f"{folder}/{split}.jsonl*"], origin)
    passages = find_files(places[-1], [f"{folder}/corpus.jsonl*", f"{folder}/collection/docs.jsonl*"], origin)
    questions = (
        Question(
            f"mr-tydi-{language}-{row.query_id}",
            language,
            " ".join(row.query.split()),
            tuple(relevant.items()),
        )
        for row in read_candidates(file)
        if (relevant := {item.passage.docid: 1 for item in row.positives})
    )
    about = "Mr. TyDi 1.1 (https://github.com/castorini/mr.tydi)"
    contents = gather(f"mr-tydi-{language}", about, "Apache 2.0", questions, read_corpora(passages))
    return write_collection(request.output, contents, overwrite=request.overwrite)


@register(
    "miracl",
    "MIRACL: questions and passages in one --language; DIR holds miracl-v1.0-LANG/ and "
    "miracl-corpus-v1.0-LANG/",
    options=("languages", "split"),
)
def build_miracl(request: BuildRequest, fetch: Fetch = fetch_files) -> Collection:
    """Build one language of MIRACL.

    Parameters
    ----------
    request
        ``source`` has ``miracl-v1.0-LANG/topics/topics.miracl-v1.0-LANG-SPLIT.tsv``,
        ``miracl-v1.0-LANG/qrels/qrels…`` and ``miracl-corpus-v1.0-LANG/docs-N.jsonl.gz``, as on the hub.
        ``split`` is ``dev`` if not given.
    fetch
        What fetches files from the hub.

    Raises
    ------
    QgdrError
        If a file is missing or malformed, or something stands at ``output`` that may not be replaced.
    """
    language = request.only_language("miracl", MIRACL)
    source = request.needed_source("miracl", "miracl-v1.0-LANG/ and miracl-corpus-v1.0-LANG/")
    refuse_output(request.output, overwrite=request.overwrite)
    name, corpus = f"miracl-v1.0-{language}", f"miracl-corpus-v1.0-{language}"
    file = f"{name}-{request.split or 'dev'}.tsv"
    places = [Path(source)]
    if source == HUB:
        places = [
            fetch("miracl/miracl", [f"{name}/*/*.{file}"]),
            fetch("miracl/miracl-corpus", [f"{corpus}/*"]),
        ]
    origin = "fetch it from https://huggingface.co/datasets/miracl, or pass --source hub"
    (topics, *_) = find_files(places[0], [f"topics.{file}"], origin)
    (qrels, *_) = find_files(places[0], [f"qrels.{file}"], f"{origin}; only train and dev have judgements")
    passages = find_files(places[-1], [f"{corpus}/docs-*.jsonl*"], origin)
    questions = _join(f"miracl-{language}", language, topics, qrels)
    about = "MIRACL 1.0 (https://project-miracl.github.io)"
    contents = gather(f"miracl-{language}", about, "Apache 2.0", questions, read_corpora(passages))
    return write_collection(request.output, contents, overwrite=request.overwrite)


def _join(prefix: str, language: str, topics: Path, qrels: Path) -> Iterator[Question]:
    """Join topics, ``qid<TAB>question``, with judgements in TREC's columns."""
    judged: dict[str, dict[str, int]] = {}
    for line, (qid, _, docid, grade) in _columns(qrels, 4):
        try:
            judged.setdefault(qid, {})[docid] = int(grade)
        except ValueError:
            raise InputError(f"grade {grade!r} is not a whole number", qrels, line) from None
    for _, (qid, text) in _columns(topics, 2):
        relevant = tuple(judged.get(qid, {}).items())
        yield Question(f"{prefix}-{qid}", language, " ".join(text.split()), relevant)


def _columns(path: Path, count: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in read_lines(path):
        columns = line.split("\t")
        if len(columns) != count:
            raise InputError(f"has {len(columns)} columns with tabs between; needs {count}", path, number)
        yield number, columns
