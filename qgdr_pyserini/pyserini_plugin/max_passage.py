"""Pyserini's options that make a run of documents out of one of segments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qgdr_pyserini.collection.segments import DELIMITER, DEPTH
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.option_values import option_value, option_values

MAX_PASSAGE = "--max-passage"
HITS_OF_DOCUMENTS = f"{MAX_PASSAGE}-hits"
DELIMITER_OPTION = f"{MAX_PASSAGE}-delimiter"

# What Pyserini's own --hits is where nobody says otherwise.
_HITS = 1000


def max_passage_options(arguments: Sequence[str]) -> list[str]:
    """Give the options that a search of an index lacks if its passages are segments.

    ``--hits`` then counts documents, for each of which ten segments are ranked. Who gives ``--max-passage``
    has their own ``--hits``.

    Parameters
    ----------
    arguments
        Options of ``pyserini.search.faiss``.

    Returns
    -------
    list of str
        To be put behind these; none where an index is not split.

    Raises
    ------
    QgdrError
        If segments are to be searched together with passages that are none.
    """
    from qgdr_pyserini.encode.manifest import is_split  # after the import hook is there

    indexes = option_values(arguments, "--index")
    split = [index for index in indexes if is_split(Path(index))]
    if not split:
        return []
    _refuse_mixed(indexes, split)
    return [*_ranking_options(arguments), *_delimiter_option(arguments)]


def _ranking_options(arguments: Sequence[str]) -> list[str]:
    if MAX_PASSAGE in arguments:
        return []
    hits = option_value(arguments, "--hits") or str(_HITS)
    if not hits.isdecimal():  # Pyserini's parser says what is wrong
        return []
    documents = option_value(arguments, HITS_OF_DOCUMENTS) or hits
    # The last of an option counts.
    return [MAX_PASSAGE, HITS_OF_DOCUMENTS, documents, "--hits", str(int(hits) * DEPTH)]


def _delimiter_option(arguments: Sequence[str]) -> list[str]:
    given = option_value(arguments, DELIMITER_OPTION) is not None
    return [] if given else [DELIMITER_OPTION, DELIMITER]


def _refuse_mixed(indexes: Sequence[str], split: Sequence[str]) -> None:
    whole = next((index for index in indexes if index not in split), None)
    if whole is not None:
        raise QgdrError(
            f"{whole}: not split into segments as {split[0]} is; search the two apart, and fuse their runs"
        )
