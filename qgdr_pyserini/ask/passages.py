"""The passages of an index that is asked: from the store beside it, or from its corpus."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.passage_store import PASSAGES, PassageStore, store_of_corpus
from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import read_lines

_DOCIDS = "docid"


def stored_passages(index: Path) -> Path | None:
    """Give the file with an index's passages; None where there is none."""
    if not (index / MANIFEST).is_file():
        return None
    name = IndexManifest.read(index).store
    return index / name if name else None


@contextlib.contextmanager
def open_passages(index: Path, corpus: str | None = None) -> Iterator[PassageStore]:
    """Open the passages of an index, in the rows of the index.

    Parameters
    ----------
    index
        The index's folder.
    corpus
        What it was made of, for an index without its passages: they are then put into a store that lasts as
        long as the block.

    Raises
    ------
    QgdrError
        If there is no such index, it has no passages and ``corpus`` is None, or the corpus is another's.
    """
    if not (index / _DOCIDS).is_file():
        raise QgdrError(f"{index}: no index (no file {_DOCIDS!r} in it); make one with 'qgdr encode-corpus'")
    found = stored_passages(index)
    if found is None and corpus is None:
        raise QgdrError(
            f"{index}: has no passages beside it; give --corpus PATH, or add them for good by --resume and "
            "the command that made it"
        )
    with contextlib.ExitStack() as stack:
        if found is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="qgdr."))
            found = Path(folder) / PASSAGES
            docids = (docid for _, docid in read_lines(index / _DOCIDS))
            store_of_corpus(found, read_corpus(str(corpus)), docids, corpus)
        store = PassageStore(found)
        stack.callback(store.close)
        yield store
