"""A training folder made of published sets, each read by its reader under `training_sources`."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from qgdr_pyserini.collection.exclusion import Exclusion
from qgdr_pyserini.collection.training_set import TrainingPassage, TrainingQuery, Translation
from qgdr_pyserini.collection.training_sources.base import (
    PAIRS,
    PASSAGES,
    QUERIES,
    Parallel,
    Row,
    TrainingSource,
)
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory, atomic_text, checksum

MANIFEST = "training-set.json"

# Why rows are left out.
EXCLUDED = "excluded"
EMPTY = "without text"
REPEATED = "repeated"
OTHER_LANGUAGE = "in another language"
NO_PASSAGE = "without a passage"


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingFolder:
    """A training folder that was built, and what its manifest says."""

    directory: Path
    manifest: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class FoundSource:
    """A source whose files are there.

    Parameters
    ----------
    source
        What reads them.
    files
        By the names that the manifest gives them, in the order in which they are read.
    """

    source: TrainingSource
    files: dict[str, Path]


def write_training_folder(
    output: str | os.PathLike[str],
    found: Sequence[FoundSource],
    excluded: Exclusion,
    wants: Callable[[str], bool],
    *,
    overwrite: bool = False,
) -> TrainingFolder:
    """Write a training folder, which appears only when complete; equal files, equal bytes.

    Parameters
    ----------
    output
        The folder.
    found
        Its sources, in the order in which their rows are written.
    excluded
        Paragraphs and questions to leave out.
    wants
        Tells the languages that are taken; English is in any case.
    overwrite
        Replace a folder that stands there.

    Raises
    ------
    QgdrError
        If a file cannot be read, or no query with a passage is left.
    """
    with atomic_directory(output, overwrite=overwrite) as work:
        with contextlib.ExitStack() as stack:
            files = {
                name: stack.enter_context(atomic_text(work / name)) for name in (PASSAGES, QUERIES, *PAIRS)
            }
            writer = _Writer(files, excluded, wants)
            for one in found:
                writer.write(one.source, list(one.files.values()))
            writer.write_queries()
        manifest = _manifest(work, found, excluded, writer)
        with atomic_text(work / MANIFEST) as file:
            json.dump(manifest, file, indent=2, ensure_ascii=False)
            file.write("\n")
    return TrainingFolder(Path(output), manifest)


class _Writer:
    """Sorts rows into the files of a training folder.

    Passages and translations are written as they come; of these, digests are kept. Queries wait until all
    sources are read, because the passage of one may be known by another source.
    """

    def __init__(self, files: dict[str, TextIO], excluded: Exclusion, wants: Callable[[str], bool]) -> None:
        self._files = files
        self._excluded = excluded
        self._wants = wants
        self._written: set[str] = set()
        self._dropped: set[str] = set()
        self._queries: dict[str, tuple[str, TrainingQuery]] = {}
        self._parallel: list[tuple[str, Parallel]] = []
        self._pairs: set[bytes] = set()
        self.counts: Counter[tuple[str, str]] = Counter()
        """Rows by source and file."""
        self.left_out: Counter[tuple[str, str, str]] = Counter()
        """Rows by source, file and reason."""
        self.languages: Counter[str] = Counter()
        """Queries by language."""

    def write(self, source: TrainingSource, files: Sequence[Path]) -> None:
        """Write all that a source has."""
        for row in source.read(files):
            file, reason = self._take(source, row)
            if reason:
                self.left_out[source.name, file, reason] += 1
            elif file not in (QUERIES, ""):
                self.counts[source.name, file] += 1

    def _take(self, source: TrainingSource, row: Row) -> tuple[str, str]:
        """Give the row's file, and why it is left out; nothing where it is not, or is not known yet."""
        if isinstance(row, TrainingPassage):
            return PASSAGES, self._take_passage(row)
        if isinstance(row, TrainingQuery):
            return QUERIES, self._take_query(source.name, row)
        if isinstance(row, Parallel):
            self._parallel.append((source.name, row))
            return QUERIES, ""
        return source.pairs, self._take_pair(source.pairs, row)

    def _take_passage(self, row: TrainingPassage) -> str:
        if row.docid in self._written or row.docid in self._dropped:
            return REPEATED
        if not row.text or self._excluded.has_passage(row):
            self._dropped.add(row.docid)
            return EXCLUDED if row.text else EMPTY
        self._written.add(row.docid)
        self._files[PASSAGES].write(json.dumps(row._asdict(), ensure_ascii=False) + "\n")
        return ""

    def _take_query(self, source: str, row: TrainingQuery) -> str:
        if row.query_id in self._queries:
            return REPEATED
        if not row.query:
            return EMPTY
        if row.docid in self._dropped or self._excluded.has_query(row):
            return EXCLUDED
        if row.docid not in self._written:
            return NO_PASSAGE
        # English ones are kept until the end, for the sake of their translations.
        if row.lang != "en" and not self._wants(row.lang):
            return OTHER_LANGUAGE
        self._queries[row.query_id] = source, row
        return ""

    def _take_pair(self, file: str, row: Translation) -> str:
        if not self._wants(row.lang):
            return OTHER_LANGUAGE
        if not row.text or not row.english:
            return EMPTY
        if self._excluded.has_pair(row):
            return EXCLUDED
        line = "\t".join(row)
        digest = hashlib.blake2b(f"{file}\t{line}".encode(), digest_size=16).digest()
        if digest in self._pairs:
            return REPEATED
        self._pairs.add(digest)
        self._files[file].write(line + "\n")
        return ""

    def write_queries(self) -> None:
        """Write the queries of all sources in the order of their ids.

        Raises
        ------
        QgdrError
            If there is none.
        """
        for source, (query, of) in self._parallel:
            _, original = self._queries.get(of, ("", query))
            if reason := self._take_query(source, query._replace(docid=original.docid)):
                self.left_out[source, QUERIES, reason] += 1
        if not self._queries:
            raise QgdrError(
                "no source has a query with its passage; add squad/, natural-questions/ or afriqa/"
            )
        for _, (source, query) in sorted(self._queries.items()):
            self._files[QUERIES].write(json.dumps(_as_object(query), ensure_ascii=False) + "\n")
            self.counts[source, QUERIES] += 1
            self.languages[query.lang] += 1


def _as_object(query: TrainingQuery) -> dict[str, Any]:
    value: dict[str, Any] = query._asdict()
    if not value.pop("answers"):
        value.pop("unanswerable")
        return value | ({"unanswerable": True} if query.unanswerable else {})
    value.pop("unanswerable")
    return value | {"answers": list(query.answers)}


def _manifest(
    work: Path, found: Sequence[FoundSource], excluded: Exclusion, writer: _Writer
) -> dict[str, Any]:
    names = (PASSAGES, QUERIES, *PAIRS)
    return {
        "name": "training-set",
        "sources": {one.source.name: _about(one, writer) for one in found},
        "excluded": {file.name: checksum(file) for file in excluded.files},
        "languages": dict(sorted(writer.languages.items())),
        "counts": {name: sum(n for (_, file), n in writer.counts.items() if file == name) for name in names},
        "checksums": {name: checksum(work / name) for name in names},
    }


def _about(one: FoundSource, writer: _Writer) -> dict[str, Any]:
    name, about = one.source.name, one.source.about
    return {
        "title": about.name,
        "from": about.where,
        "licence": about.licence,
        "counts": {file: n for (source, file), n in sorted(writer.counts.items()) if source == name},
        "left out": dict(_left_out(name, writer)),
        "checksums": {path: checksum(file) for path, file in one.files.items()},
    }


def _left_out(name: str, writer: _Writer) -> Iterator[tuple[str, dict[str, int]]]:
    for file in (PASSAGES, QUERIES, *PAIRS):
        reasons = {
            reason: count
            for (source, part, reason), count in sorted(writer.left_out.items())
            if (source, part) == (name, file)
        }
        if reasons:
            yield file, reasons
