"""What a user asks for when building a collection."""

from __future__ import annotations

import dataclasses
import os

from qgdr_pyserini.errors import QgdrError

HUB = "hub"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """The options of ``qgdr collection build``.

    Parameters
    ----------
    output
        The collection's directory.
    source
        Directory with the files, or ``hub``, or ``hub:NAME`` for a set that has no fixed name there.
    overwrite
        Replace a collection that stands there.
    corpus
        Passages to search, where the set has none: a corpus, or ``hub``.
    languages
        Languages to take; all when empty.
    split
        Part of the set; the usual one for measuring when None.
    dataset
        What stands behind the colon of ``ir_datasets:NAME``.
    query_fields
        Fields of the set's queries, ``FIELD`` or ``FIELD,FIELD``, each a topics file; what the set counts as
        their text when empty.
    doc_fields
        Fields of the set's documents, ``FIELD,FIELD``; likewise.
    topics
        ``LANG=FILE``, for each language, of a collection that is given file by file.
    qrels
        Its judgements.
    encoding
        Of the text in its files; UTF-8 when None.
    accept_licence
        The set's terms of use are read and accepted.
    """

    output: str | os.PathLike[str]
    source: str | os.PathLike[str] | None = None
    overwrite: bool = False
    corpus: str | os.PathLike[str] | None = None
    languages: tuple[str, ...] = ()
    split: str | None = None
    dataset: str = ""
    query_fields: tuple[str, ...] = ()
    doc_fields: str | None = None
    topics: tuple[str, ...] = ()
    qrels: str | os.PathLike[str] | None = None
    encoding: str | None = None
    accept_licence: bool = False

    def wants(self, language: str) -> bool:
        """Tell whether a language is asked for, ``zh-cn`` also by ``zh``."""
        return not self.languages or language in self.languages or language.split("-")[0] in self.languages

    def only_language(self, name: str, known: tuple[str, ...]) -> str:
        """Give the one language of a set that has a corpus for each.

        Raises
        ------
        QgdrError
            Unless exactly one is asked for, which the set has.
        """
        if len(self.languages) != 1 or self.languages[0] not in known:
            raise QgdrError(
                f"{name} has one corpus a language; pass --language once, with one of {', '.join(known)}"
            )
        return self.languages[0]

    def needed_source(self, name: str, files: str) -> str | os.PathLike[str]:
        """Give the source.

        Raises
        ------
        QgdrError
            If there is none; says which files are needed.
        """
        if self.source is None:
            raise QgdrError(f"{name} needs a source: give --source DIR with {files}, or --source hub")
        return self.source
