"""The queries that a recipe holds out, as a collection to search and to measure on."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from qgdr_pyserini.collection.collection import Collection as BuiltCollection
from qgdr_pyserini.collection.collection import write_collection
from qgdr_pyserini.collection.loaders.base import Question, gather
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.train.data import read_training_data, take_per_language
from qgdr_pyserini.train.recipe import Recipe

_NAME = "heldout"


def write_held_out(
    recipe: Recipe,
    data: Path,
    output: str | os.PathLike[str],
    *,
    per_language: int = 0,
    languages: Collection[str] = (),
    overwrite: bool = False,
) -> BuiltCollection:
    """Write held-out queries, and all passages of the data to search them in.

    Parameters
    ----------
    recipe
        Says what the data are and which share of the articles is held out.
    data
        The data.
    output
        The collection's directory.
    per_language
        Queries taken of each language, chosen by a digest of their ids; 0 takes all.
    languages
        Of the queries that are taken; all when empty.
    overwrite
        Replace a collection that stands there.

    Raises
    ------
    QgdrError
        If nothing is held out, the data cannot be read, or ``output`` may not be written.
    """
    if not recipe.holdout:
        raise QgdrError(f"recipe {recipe.name}: holds nothing out; pass --set holdout=0.03")
    found = read_training_data(data, recipe.data, recipe.holdout)
    rows = take_per_language(found.held_out, per_language)
    if not rows:
        raise QgdrError(f"{data}: none of its queries is about an article held out; raise holdout")
    if unknown := [language for language in languages if language not in {row.lang for row in rows}]:
        there = ", ".join(sorted({row.lang for row in rows}))
        raise QgdrError(f"{data}: no query held out is in language {unknown[0]!r}; there are {there}")
    rows = [row for row in rows if not languages or row.lang in languages]
    source = f"the share {recipe.holdout:g} of the articles that recipe {recipe.name} holds out"
    questions = map(_question, rows)
    contents = gather(_NAME, source, "that of the training data", questions, found.pool())
    return write_collection(output, contents, overwrite=overwrite)


def _question(row: CandidateList) -> Question:
    relevant = tuple({item.passage.docid: 1 for item in row.positives}.items())
    qid = f"{_NAME}-{row.lang}-{'_'.join(row.query_id.split())}"
    return Question(qid, row.lang, " ".join(row.query.split()), relevant, row.answers or None)
