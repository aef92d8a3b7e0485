"""A collection in TREC's own formats: documents and topics in SGML, read by `ir_datasets`, and qrels."""

from __future__ import annotations

import codecs
import collections
import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.collection import Collection, Contents, refuse_output, write_collection
from qgdr_pyserini.collection.corpus import SUFFIXES, Passage, read_corpus
from qgdr_pyserini.collection.loaders.base import BuildRequest, register
from qgdr_pyserini.collection.loaders.ir_library import quiet_library
from qgdr_pyserini.collection.loaders.records import (
    JudgedQueries,
    PassageIds,
    make_passage,
    parse_fields,
    question_text,
)
from qgdr_pyserini.collection.trec import read_qrels
from qgdr_pyserini.errors import InputError, QgdrError, first_line

# A tag at the beginning of a line, in CLEF with the language before its name, and what may stand behind it.
_TAGS = {
    "query_id": r"(?i)<num> *(Number *:)?",
    "title": r"(?i)<([a-z]{2}-)?title> *(Topic *:)?",
    "description": r"(?i)<([a-z]{2}-)?desc> *(Description *:)?",
    "narrative": r"(?i)<([a-z]{2}-)?narr> *(Narrative *:)?",
}
_CLOSING = re.compile(r"(?i)</[a-z-]+>")


@register(
    "trec",
    "documents, topics and judgements in TREC's formats, file by file (no --source)",
    options=("corpus", "topics", "qrels", "query_fields", "encoding"),
)
def build_trec(request: BuildRequest) -> Collection:
    """Build a collection of files in TREC's formats.

    Parameters
    ----------
    request
        ``corpus`` is a file or folder of TREC documents (``.gz`` too), or a corpus that `read_corpus` takes;
        ``topics`` are ``LANG=FILE``, of which ``query_fields`` make the question (title if none is given);
        ``qrels`` holds the judgements, which count for every language's topics. All text is in ``encoding``.

    Raises
    ------
    QgdrError
        If a file is missing or malformed, or something stands at ``output`` that may not be replaced.
    """
    if request.source is not None or request.corpus is None or request.qrels is None or not request.topics:
        raise QgdrError("trec is built of files: give --corpus PATH, --topics LANG=FILE and --qrels FILE")
    if len(request.query_fields) > 1:
        raise QgdrError("trec takes one --query-field; join fields with a comma, as title,description")
    _refuse_encoding(request.encoding)
    refuse_output(request.output, overwrite=request.overwrite)
    ids = PassageIds()
    qrels = {
        qid: {ids.of_judgement(docid): grade for docid, grade in judged.items()}
        for qid, judged in read_qrels(request.qrels).items()
    }
    queries = JudgedQueries("trec", qrels)
    fields = request.query_fields[0] if request.query_fields else "title"
    with quiet_library():
        for language, file in map(_language_and_file, request.topics):
            queries.add(language, _read_topics(file, fields, request.encoding))
        contents = Contents(
            name="trec",
            source="files in TREC's formats",
            licence="see where the files come from",
            passages=_read_documents(Path(request.corpus), request.encoding, ids),
            topics=queries.topics,
            judgements=queries.judgements,
            answers=(),
            details=lambda: {"query_fields": [fields], "remarks": [*queries.remarks, *ids.remarks()]},
        )
        return write_collection(request.output, contents, overwrite=request.overwrite)


def _refuse_encoding(encoding: str | None) -> None:
    try:
        codecs.lookup(encoding or "utf-8")
    except LookupError:
        raise QgdrError(
            f"--encoding {encoding!r}: not known; write one such as iso-8859-1, gb18030"
        ) from None


def _language_and_file(option: str) -> tuple[str, Path]:
    language, equals, file = option.partition("=")
    if not equals or not language or not file:
        raise QgdrError(f"--topics {option!r}: needs LANG=FILE, such as en=topics.txt")
    return language, Path(file)


def _read_topics(file: Path, choice: str, encoding: str | None) -> list[tuple[str, str]]:
    """Read the topics of a file: number, and the text of the chosen fields."""
    from ir_datasets.formats import TrecQueries

    tags = _tags_in(file)
    if "query_id" not in tags or len(tags) < 2:
        raise InputError(
            "holds no TREC topics; needs <top>, <num> and <title> at the beginning of lines", file
        )
    fields = parse_fields(f"{file}: --query-field", choice, tags[1:])
    reader = TrecQueries(
        _streamer(file),
        qtype=collections.namedtuple("Topic", tags),
        qtype_map={_TAGS[tag]: tag for tag in tags},
        encoding=encoding,
        remove_tags=(),
    )
    try:
        records = [record._replace(**_without_closing_tags(record)) for record in reader.queries_iter()]
    except AssertionError as error:
        raise InputError(f"a topic lacks one of {', '.join(tags)}; has {first_line(error)}", file) from None
    except UnicodeDecodeError as error:
        raise InputError(f"not {error.encoding} ({error.reason}); pass --encoding", file) from None
    return [(record.query_id, question_text(record, fields)) for record in records]


def _without_closing_tags(record: Any) -> dict[str, str]:
    return {field: _CLOSING.sub(" ", value).strip() for field, value in record._asdict().items()}


def _tags_in(file: Path) -> list[str]:
    """List the fields that a topics file has, the number first."""
    if not file.is_file():
        raise InputError("no such file", file)
    try:
        with _streamer(file).stream() as raw:
            # Tags are ASCII, whatever the text is.
            lines = raw.read().decode("latin-1").splitlines()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or first_line(error)})", file) from None
    return [name for name, tag in _TAGS.items() if any(re.match(tag, line) for line in lines)]


def _streamer(file: Path) -> Any:
    from ir_datasets.util import GzipExtract, LocalDownload

    plain = LocalDownload(file, mkdir=False)
    return GzipExtract(plain) if file.suffix == ".gz" else plain


def _read_documents(place: Path, encoding: str | None, ids: PassageIds) -> Iterator[Passage]:
    """Stream the documents of a file or folder, in the order of the files' names."""
    files = _document_files(place)
    if any(file.name.endswith(SUFFIXES) for file in files):
        yield from read_corpus(place)
        return
    read = 0
    for record in _trec_documents(place, files, encoding):
        _refuse_other_encoding(record, encoding, place)
        read += 1
        if (docid := ids.of_passage(record.doc_id)) is not None:
            yield make_passage(record, docid, ("title", "body"))
    if not read:
        raise InputError(
            "holds no TREC documents; needs <DOC>, <DOCNO> and </DOC> on lines of their own", place
        )


def _document_files(place: Path) -> list[Path]:
    if not place.exists():
        raise InputError("no such file or folder", place)
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return [file for file in files if file.is_file() and not file.name.startswith(".")]


def _trec_documents(place: Path, files: Sequence[Path], encoding: str | None) -> Iterator[Any]:
    from ir_datasets.formats import TrecDocs
    from ir_datasets.util import LocalDownload

    folder = place if place.is_dir() else place.parent
    names = [glob.escape(str(file.relative_to(folder))) for file in files]
    # The reader walks a folder in no order of its own, but takes patterns in theirs.
    reader = TrecDocs(LocalDownload(folder, mkdir=False), encoding, names, parser="sax")
    try:
        yield from reader.docs_iter()
    except Exception as error:  # damaged archives of four kinds, formats that need another package
        raise InputError(f"cannot be read ({first_line(error)})", place) from error


def _refuse_other_encoding(record: Any, encoding: str | None, place: Path) -> None:
    """Refuse what the reader would pass over: letters that it cannot decode."""
    try:
        record.marked_up_doc.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"document {record.doc_id!r} is not {encoding or 'UTF-8'} ({error.reason}); pass --encoding",
            place,
        ) from None
