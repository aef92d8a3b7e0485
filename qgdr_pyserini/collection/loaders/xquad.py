"""XQuAD as a cross-lingual collection: questions in many languages, passages in English.

XQuAD (Artetxe, Ruder and Yogatama, 2020) has the same 1,190 questions in every language, about 240
paragraphs of SQuAD v1.1's development set. The corpus is all 2,067 paragraphs of that set, so a
question's paragraph has to be found among its like; or XQuAD's own 240 in any of its languages, or in
several, where a question's paragraph is relevant in each.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from qgdr_pyserini.collection.answers import Answers
from qgdr_pyserini.collection.collection import Collection, Contents, refuse_output, write_collection
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.loaders.base import HUB, BuildRequest, register
from qgdr_pyserini.collection.squad import (
    HubLoader,
    Row,
    load_squad_from_hub,
    read_squad_file,
    validation_split,
)
from qgdr_pyserini.collection.trec import Judgement
from qgdr_pyserini.errors import InputError, QgdrError

HUB_LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
XQUAD = "https://github.com/google-deepmind/xquad"
SQUAD = "https://github.com/rajpurkar/SQuAD-explorer"
SOURCE = f"XQuAD ({XQUAD}) over the development set of SQuAD v1.1 ({SQUAD})"
LICENCE = "CC BY-SA 4.0"

_FILE = re.compile(r"xquad\.([a-z]{2,3})\.json")


@dataclasses.dataclass(frozen=True, slots=True)
class XQuad:
    """The rows of SQuAD's development set, and of XQuAD by language; English is among them."""

    squad: list[Row]
    xquad: dict[str, list[Row]]


@register(
    "xquad",
    "questions in up to 12 languages over SQuAD's 2,067 English paragraphs, or by --passages over XQuAD's "
    "own 240 in any of these languages; DIR holds xquad/xquad.LANG.json and squad/dev-v1.1.json",
    options=("passages",),
)
def build_xquad(request: BuildRequest, load: HubLoader = validation_split) -> Collection:
    """Build XQuAD.

    Parameters
    ----------
    request
        ``source`` is a directory with ``xquad/xquad.LANG.json`` for some languages, English among them, and
        ``squad/dev-v1.1.json``; or ``hub``, for all twelve languages from the Hugging Face hub. With
        ``passages``, the corpus is XQuAD's own paragraphs in these languages, ids ``LANG-TITLE-NUMBER``.
    load
        What fetches a set from the hub.

    Returns
    -------
    Collection
        The collection built. Both sources give the same bytes for the same languages.

    Raises
    ------
    QgdrError
        If a source is missing, malformed or does not fit the others, there are no passages in a language
        asked for, or something stands at ``output`` that may not be replaced.
    """
    rows = read_xquad("xquad", request, load)
    contents = _contents(rows)
    if request.passages is not None:
        contents = _in_languages(contents, rows, _languages(request.passages, rows))
    return write_collection(request.output, contents, overwrite=request.overwrite)


def read_xquad(name: str, request: BuildRequest, load: HubLoader) -> XQuad:
    """Read SQuAD's development set and XQuAD, for the collection called ``name``; see `build_xquad`."""
    source = request.needed_source(name, "the original files")
    refuse_output(request.output, overwrite=request.overwrite)
    return _from_hub(load) if source == HUB else _from_files(Path(source))


def _from_files(directory: Path) -> XQuad:
    squad = _needed(directory / "squad" / "dev-v1.1.json", SQUAD)
    _needed(directory / "xquad" / "xquad.en.json", XQUAD)
    files = ((_FILE.fullmatch(file.name), file) for file in sorted((directory / "xquad").iterdir()))
    xquad = {match.group(1): read_squad_file(file) for match, file in files if match}
    return XQuad(read_squad_file(squad), xquad)


def _needed(file: Path, origin: str) -> Path:
    if not file.is_file():
        raise InputError(f"no such file; fetch it from {origin}, or pass --source hub", file)
    return file


def _from_hub(load: HubLoader) -> XQuad:
    xquad = {
        language: load_squad_from_hub("google/xquad", f"xquad.{language}", load) for language in HUB_LANGUAGES
    }
    return XQuad(load_squad_from_hub("rajpurkar/squad", None, load), xquad)


def _contents(rows: XQuad) -> Contents:
    passages = _passages(rows.squad)
    docids = _relevant(rows.xquad["en"], passages)
    return contents_of(rows, "xquad", SOURCE, passages, docids)


def contents_of(
    rows: XQuad, name: str, source: str, passages: Iterable[Passage], docids: Mapping[str, str]
) -> Contents:
    """Put XQuAD's questions over some passages.

    Parameters
    ----------
    rows
        The questions.
    name, source
        What the collection is called, and what it is made of.
    passages
        What is searched.
    docids
        The relevant passage of each question, by SQuAD's question id.

    Raises
    ------
    QgdrError
        If a question is not among the English ones.
    """
    english = {row.qid: row for row in rows.xquad["en"]}
    questions = [
        (language, row, english[row.qid])
        for language, parallel in sorted(rows.xquad.items())
        for row in _known(parallel, english, language)
    ]
    topics: dict[str, dict[str, str]] = defaultdict(dict)
    for language, row, _ in questions:
        topics[language][_qid(language, row)] = row.question
    return Contents(
        name=name,
        source=source,
        licence=LICENCE,
        passages=passages,
        topics=topics,
        judgements=[Judgement(_qid(language, row), docids[row.qid]) for language, row, _ in questions],
        # The corpus is English, so English answers are what its passages can hold.
        answers=[Answers(_qid(language, row), language, same.answers) for language, row, same in questions],
    )


def _qid(language: str, row: Row) -> str:
    return f"xquad-{language}-{row.qid}"


def _passages(squad: Iterable[Row]) -> list[Passage]:
    """Give every paragraph the id ``TITLE-NUMBER``, counted in the order of its smallest question id.

    Unlike positions in a file, that order is the same in every edition of SQuAD.
    """
    titles: dict[str, str] = {}
    first: dict[str, str] = {}
    for row in squad:
        titles[row.context] = row.title
        first[row.context] = min(row.qid, first.get(row.context, row.qid))
    passages: list[Passage] = []
    numbers: dict[str, int] = defaultdict(int)
    for text in sorted(titles, key=lambda text: (titles[text], first[text])):
        numbers[titles[text]] += 1
        docid = f"{'_'.join(titles[text].split())}-{numbers[titles[text]]:03d}"
        passages.append(Passage(docid, titles[text].replace("_", " "), text))
    return passages


def _relevant(english: Iterable[Row], passages: Iterable[Passage]) -> dict[str, str]:
    """Map every question to the passage that its English paragraph is."""
    docids = {passage.text: passage.docid for passage in passages}
    for row in english:
        if row.context not in docids:
            raise QgdrError(
                f"xquad.en: the paragraph of question {row.qid!r} ({row.context[:40]!r}…) is not in SQuAD's "
                "development set; the two do not belong together: fetch both again"
            )
    return {row.qid: docids[row.context] for row in english}


def _known(parallel: Iterable[Row], english: dict[str, Row], language: str) -> Iterable[Row]:
    for row in parallel:
        if row.qid not in english:
            raise QgdrError(
                f"xquad.{language}: question {row.qid!r} is not in xquad.en; "
                "the two do not belong together: fetch both again"
            )
        yield row


def _languages(wanted: str, rows: XQuad) -> list[str]:
    """Take apart ``LANG,LANG`` or ``all``."""
    known = sorted(rows.xquad)
    languages = known if wanted == "all" else list(dict.fromkeys(map(str.strip, wanted.split(","))))
    for language in languages:
        if language not in rows.xquad:
            raise QgdrError(f"--passages: none in {language!r}; there are {', '.join(known)}, and all")
    return languages


def _in_languages(contents: Contents, rows: XQuad, languages: Iterable[str]) -> Contents:
    """Put XQuAD's own paragraphs in the place of SQuAD's.

    They come without titles, which XQuAD has in English alone: a pool with them would favour English.
    """
    named = {row.context: row.title for row in rows.squad}
    titles = {row.qid: named[row.context] for row in rows.xquad["en"]}
    passages: list[Passage] = []
    docids: dict[str, list[str]] = defaultdict(list)
    spoken: dict[str, list[str]] = defaultdict(list)
    for language in sorted(languages):
        # SQuAD's titles, which the hub's edition of XQuAD lacks.
        own = [row._replace(title=titles[row.qid]) for row in rows.xquad[language]]
        added = _paragraphs(language, own)
        passages += added
        by_text = {passage.text: passage.docid for passage in added}
        for row in own:
            docids[row.qid].append(by_text[row.context])
            spoken[row.qid] += row.answers
    asked = [(language, row) for language, parallel in sorted(rows.xquad.items()) for row in parallel]
    return dataclasses.replace(
        contents,
        passages=passages,
        judgements=[Judgement(_qid(lang, row), docid) for lang, row in asked for docid in docids[row.qid]],
        answers=[
            Answers(_qid(lang, row), lang, tuple(dict.fromkeys(spoken[row.qid]))) for lang, row in asked
        ],
        details=lambda: {"passage_languages": dict(Counter(passage.language for passage in passages))},
    )


def _paragraphs(language: str, rows: Iterable[Row]) -> list[Passage]:
    """Give each paragraph in a language an id that tells its translations by their language alone."""
    return [Passage(f"{language}-{passage.docid}", "", passage.text, language) for passage in _passages(rows)]
