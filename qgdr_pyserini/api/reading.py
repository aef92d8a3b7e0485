"""Collections, and TREC's files as DataFrames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qgdr_pyserini.api.frames import (
    AnyPath,
    AnyQrels,
    AnyRun,
    AnyTopics,
    qrels_frame,
    run_frame,
    to_qrels,
    to_run,
    to_topics,
    topics_frame,
)
from qgdr_pyserini.collection import trec
from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.loaders import base as loaders
from qgdr_pyserini.collection.loaders import training_set
from qgdr_pyserini.collection.loaders.base import BuildRequest
from qgdr_pyserini.collection.loaders.training_set import NAME
from qgdr_pyserini.errors import QgdrError

if TYPE_CHECKING:
    import pandas as pd


def build_collection(
    name: str,
    output: AnyPath,
    *,
    source: AnyPath | None = None,
    corpus: AnyPath | None = None,
    languages: Sequence[str] = (),
    split: str | None = None,
    overwrite: bool = False,
) -> Collection:
    """Build a collection, as ``qgdr collection build`` does.

    Parameters
    ----------
    name
        As ``qgdr collection build --help`` lists them; ``sample`` ships with the package.
    output
        The collection's folder.
    source
        A folder with the published files, ``hub``, or ``hub:NAME``.
    corpus
        Passages to search, for sets that have none; ``hub`` too.
    languages
        Languages to take; all when empty.
    split
        Part of the set; the one to measure on when None.
    overwrite
        Replace a collection that stands there.

    Returns
    -------
    Collection
        Where its parts are: ``corpus``, ``topics`` by language, ``qrels``, ``answers``. It stands for itself
        wherever a corpus, topics or qrels are taken.

    Raises
    ------
    QgdrError
        If there is none of that name, or building it fails.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sample = build_collection("sample", pathlib.Path(folder) / "sample")
    ...     len(sample.languages), len(read_topics(sample))
    (12, 360)
    """
    request = BuildRequest(
        output=output,
        source=source,
        corpus=corpus,
        languages=tuple(languages),
        split=split,
        overwrite=overwrite,
    )
    built = loaders.build_collection(name, request) if name != NAME else None
    if not isinstance(built, Collection):
        raise QgdrError(f"{name} is nothing to search; build_training_set makes it")
    return built


def build_training_set(
    output: AnyPath,
    *,
    source: AnyPath,
    exclude: AnyPath | None = None,
    only: Sequence[str] = (),
    languages: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Build a folder to train with, as ``qgdr collection build training-set`` does.

    Parameters
    ----------
    output
        The folder.
    source
        A folder with a folder for each published set, ``hub``, or ``hub:DIR``.
    exclude
        XQuAD's files, whose paragraphs and questions are left out; if not given, ``xquad`` in the source.
    only
        Sources to take; all when empty.
    languages
        Languages to take beside English; all when empty.
    overwrite
        Replace a training folder that stands there.

    Returns
    -------
    pathlib.Path
        What `train_encoder` takes as data.

    Raises
    ------
    QgdrError
        If no source is there, or a file is malformed.

    Examples
    --------
    >>> build_training_set("data/train", source="hub", only=["squad", "mkqa"])  # doctest: +SKIP
    PosixPath('data/train')
    """
    request = BuildRequest(
        output=output,
        source=source,
        exclude=exclude,
        only=tuple(only),
        languages=tuple(languages),
        overwrite=overwrite,
    )
    return training_set.build_training_set(request).directory


def load_collection(directory: AnyPath) -> Collection:
    """Open a collection that was built; a folder that is none is a `QgdrError`."""
    return Collection.open(directory)


def read_topics(topics: AnyTopics) -> pd.DataFrame:
    """Read topics into a DataFrame.

    Parameters
    ----------
    topics
        A topics file, a pattern such as ``collections/xquad/topics.*.tsv``, or a collection or its folder.

    Returns
    -------
    pandas.DataFrame
        ``qid``, ``lang`` (missing where neither the file's name nor the qid tells it) and ``query``.

    Raises
    ------
    QgdrError
        If a file cannot be used, with its line.
    """
    return topics_frame(to_topics(topics))


def read_qrels(qrels: AnyQrels) -> pd.DataFrame:
    """Read judgements into a DataFrame.

    Parameters
    ----------
    qrels
        A TREC file, or a collection or its folder.

    Returns
    -------
    pandas.DataFrame
        ``qid``, ``docid`` and ``relevance``.

    Raises
    ------
    QgdrError
        If the file cannot be used, with its line.
    """
    return qrels_frame(to_qrels(qrels))


def read_run(run: AnyRun) -> pd.DataFrame:
    """Read a TREC run into a DataFrame, ranked as trec_eval does.

    Parameters
    ----------
    run
        A file, a pattern of files that hold different queries, such as ``runs/run.bm25.*.txt``, or several
        files.

    Returns
    -------
    pandas.DataFrame
        ``qid``, ``docid``, ``rank`` (from 1) and ``score``.

    Raises
    ------
    QgdrError
        If a file cannot be used, with its line.
    """
    return run_frame(to_run(run))


def write_run(run: AnyRun, path: AnyPath, tag: str = "qgdr") -> None:
    """Write a run as a TREC file, which appears only when complete.

    Parameters
    ----------
    run
        A DataFrame with ``qid``, ``docid`` and ``score``, or what else stands for a run.
    path
        Where to; a name ending in ``.gz`` is compressed.
    tag
        What the run is called, in its last column.

    Raises
    ------
    QgdrError
        If the run cannot be used, or the tag holds whitespace.
    """
    if tag.split() != [tag]:
        raise QgdrError(f"tag {tag!r}: is empty or holds whitespace, which TREC files cannot")
    trec.write_run(path, ((qid, hits.items()) for qid, hits in to_run(run).items()), tag)
