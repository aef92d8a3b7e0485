"""Queries with candidate passages, as Tevatron's JSON Lines, with a teacher's scores."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.jsonl import read_objects, string_list, write_objects
from qgdr_pyserini.errors import InputError

AnyPath = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A passage, and how well a teacher thinks it fits the query (None: not scored)."""

    passage: Passage
    score: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class CandidateList:
    """A query with passages that answer it and passages that do not.

    Parameters
    ----------
    query_id, query
        The query.
    positives, negatives
        The candidates.
    lang
        ISO code of the query's language; empty where the file does not say.
    answers
        What an answering passage contains, where known.
    aligned_with
        For a generated query: the id of the query that it shares its candidates with.
    """

    query_id: str
    query: str
    positives: tuple[Candidate, ...]
    negatives: tuple[Candidate, ...] = ()
    lang: str = ""
    answers: tuple[str, ...] = ()
    aligned_with: str = ""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All candidates, the positives first."""
        return self.positives + self.negatives


def read_candidates(path: AnyPath) -> Iterator[CandidateList]:
    """Stream the queries of a file.

    Parameters
    ----------
    path
        ``{"query_id", "query", "positive_passages", "negative_passages"}`` a line, gzipped or not;
        passages are ``{"docid", "title", "text"}`` with ``score`` where scored. Optional:
        ``lang``, ``answers``, ``aligned_with``. Other keys are passed over.

    Raises
    ------
    InputError
        If a field is missing or of another type, an id is repeated, or there is no query at all.
    """
    seen: set[str] = set()
    for line, row in read_objects(path):
        found = _candidate_list(row, path, line)
        if found.query_id in seen:
            raise InputError(f"duplicate query_id {found.query_id!r}; ids must differ", path, line)
        seen.add(found.query_id)
        yield found
    if not seen:
        raise InputError("holds no queries", path)


def write_candidates(path: AnyPath, rows: Iterable[CandidateList]) -> int:
    """Write queries, the file appearing only when complete; return how many."""
    return write_objects(path, map(_as_object, rows))


def _as_object(row: CandidateList) -> dict[str, Any]:
    value: dict[str, Any] = {"query_id": row.query_id, "query": row.query}
    optional = {"lang": row.lang, "answers": list(row.answers), "aligned_with": row.aligned_with}
    value |= {key: item for key, item in optional.items() if item}
    value["positive_passages"] = [_passage_object(item) for item in row.positives]
    value["negative_passages"] = [_passage_object(item) for item in row.negatives]
    return value


def _passage_object(item: Candidate) -> dict[str, Any]:
    passage = item.passage
    value: dict[str, Any] = {"docid": passage.docid, "title": passage.title, "text": passage.text}
    return value if item.score is None else value | {"score": item.score}


def _candidate_list(row: dict[str, Any], path: AnyPath, line: int) -> CandidateList:
    query_id, query = (_text(row, key, path, line) for key in ("query_id", "query"))
    if not query_id:
        raise InputError("empty query_id; give every query one", path, line)
    lang, aligned = (_text(row, key, path, line, "") for key in ("lang", "aligned_with"))
    answers = string_list(row, "answers", path, line, optional=True)
    positives, negatives = (
        tuple(_candidate(item, key, path, line) for item in _list(row, key, path, line))
        for key in ("positive_passages", "negative_passages")
    )
    return CandidateList(query_id, query, positives, negatives, lang, answers, aligned)


def _list(row: dict[str, Any], key: str, path: AnyPath, line: int) -> list[Any]:
    value = row.get(key, [])
    if not isinstance(value, list):
        raise InputError(f"needs {key!r} as a list of passages", path, line)
    return value


def _candidate(item: Any, key: str, path: AnyPath, line: int) -> Candidate:
    if not isinstance(item, dict):
        raise InputError(f"{key!r} holds {item!r}; each passage must be an object", path, line)
    docid, text = (_text(item, name, path, line) for name in ("docid", "text"))
    score = item.get("score")
    if score is not None and not _is_number(score):
        raise InputError(f"passage {docid!r}: 'score' must be a finite number, not {score!r}", path, line)
    passage = Passage(docid, _text(item, "title", path, line, ""), text)
    return Candidate(passage, None if score is None else float(score))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _text(row: dict[str, Any], key: str, path: AnyPath, line: int, default: str | None = None) -> str:
    value = row.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise InputError(f"needs {key!r} as text", path, line)
    return value
