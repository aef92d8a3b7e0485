"""XQuAD's questions over SQuAD's articles, each a long document.

The 48 articles of SQuAD v1.1's development set have 1,000 to 40,000 words; a question's is the one that its
paragraph is from.
"""

from __future__ import annotations

from collections.abc import Iterable

from qgdr_pyserini.collection.collection import Collection, write_collection
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.loaders.base import BuildRequest, register
from qgdr_pyserini.collection.loaders.xquad import SQUAD, XQUAD, contents_of, read_xquad
from qgdr_pyserini.collection.squad import HubLoader, Row, validation_split

NAME = "squad-documents"
SOURCE = f"XQuAD ({XQUAD}) over whole articles of the development set of SQuAD v1.1 ({SQUAD})"


@register(
    NAME,
    "the same questions over SQuAD's 48 articles, each a long document; the same files as xquad",
)
def build_squad_documents(request: BuildRequest, load: HubLoader = validation_split) -> Collection:
    """Build the collection; parameters and errors as for `build_xquad`."""
    rows = read_xquad(NAME, request, load)
    docids = {row.qid: _docid(row) for row in rows.squad}
    contents = contents_of(rows, NAME, SOURCE, _articles(rows.squad), docids)
    return write_collection(request.output, contents, overwrite=request.overwrite)


def _articles(squad: Iterable[Row]) -> list[Passage]:
    """Put every article's paragraphs together, a line each, in the order in which they come."""
    paragraphs: dict[str, dict[str, str]] = {}
    for row in squad:
        paragraphs.setdefault(_docid(row), {}).setdefault(row.context, row.title.replace("_", " "))
    return [
        Passage(docid, next(iter(texts.values())), "\n".join(texts)) for docid, texts in paragraphs.items()
    ]


def _docid(row: Row) -> str:
    return "_".join(row.title.split())
