"""BM25 runs by Pyserini's Lucene, to compare dense runs with."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from qgdr_pyserini.collection.corpus import Passage, corpus_files, on_hub, read_corpus
from qgdr_pyserini.collection.passage_store import PassageStore
from qgdr_pyserini.collection.segments import DEPTH, best_segments, document_of
from qgdr_pyserini.collection.topics import read_topics, topics_language
from qgdr_pyserini.collection.trec import write_run
from qgdr_pyserini.dictionary.dictionary import Dictionary, base_language, read_dictionaries
from qgdr_pyserini.dictionary.language_id import ENGLISH
from qgdr_pyserini.dictionary.passage_languages import count_languages
from qgdr_pyserini.dictionary.translate import translate
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.pyserini_plugin import lucene

KEPT = "qgdr-bm25.json"
"""File in a kept index that says what it was built from."""

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Options:
    """How to index and search.

    Parameters
    ----------
    hits
        Most passages per query.
    threads
        Threads that index and search; all cores when None.
    language
        Language of the passages, for the analyzer; found out from them, or from a kept index, when None.
    k1, b
        BM25's parameters.
    rm3
        Expand queries by RM3; not together with ``lexicon``.
    lexicon, names
        Dictionary and names (see `read_dictionaries`) by which questions in other languages than the
        passages' are translated; searched as they are when None.
    tag
        What the runs are called.
    index
        Where to keep the Lucene index, or where it was kept; thrown away when None.
    overwrite
        Replace runs, and an index that was built from something else.
    segments
        What is searched is a dense index whose passages are segments: these are indexed, and documents are
        ranked by their best one.
    """

    hits: int = 100
    threads: int | None = None
    language: str | None = None
    k1: float = 0.9
    b: float = 0.4
    rm3: bool = False
    lexicon: Path | None = None
    names: Path | None = None
    tag: str = "bm25"
    index: Path | None = None
    overwrite: bool = False
    segments: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.rm3 and self.lexicon:
            raise QgdrError("--rm3 expands questions as they are, --lexicon translates them; choose one")
        if self.names and not self.lexicon:
            raise QgdrError("--names goes with --lexicon FILE, which translates the words that are not names")
        if not re.fullmatch(r"[\w.+-]+", self.tag):
            raise QgdrError(
                f"--tag {self.tag!r}: letters, digits and - + . _ only; runs and files are called so"
            )

    @property
    def ranking(self) -> lucene.Ranking:
        """How Lucene searches."""
        hits = self.hits * (DEPTH if self.segments else 1)
        return lucene.Ranking(self.analyzer, self.k1, self.b, self.rm3, hits, self.cores)

    @property
    def analyzer(self) -> str:
        """Language of the analyzer."""
        return self.language or ENGLISH

    @property
    def cores(self) -> int:
        """Threads to use."""
        return self.threads or os.cpu_count() or 1


@dataclass(frozen=True)
class Reporter:
    """Who is told how far it has come.

    Parameters
    ----------
    say
        Called with a line when a step begins.
    advance
        Called with the number of passages indexed since the last call.
    """

    say: Callable[[str], object] = field(default=lambda line: None)
    advance: Callable[[int], object] = field(default=lambda count: None)


@dataclass(frozen=True)
class Source:
    """What a kept index was built from."""

    corpus: str
    language: str
    vectors: bool = False

    def serves(self, wanted: Source) -> bool:
        """Tell whether an index of this can be searched in place of ``wanted``."""
        return replace(self, vectors=wanted.vectors) == wanted and self.vectors >= wanted.vectors


def write_bm25_runs(
    corpus: StrPath,
    topics: Sequence[StrPath],
    output: StrPath,
    options: Options = Options(),
    reporter: Reporter = Reporter(),
) -> list[Path]:
    """Search a corpus with BM25, one TREC run a topics file.

    Parameters
    ----------
    corpus
        JSON Lines file or folder of them; a dense index with its passages where ``options.segments``.
    topics
        Files named ``topics.LANG.tsv``.
    output
        Folder for the runs, ``run.TAG.LANG.txt``.
    options
        How to index and search.
    reporter
        Who is told how far it has come.

    Returns
    -------
    list of Path
        The runs, in the order of ``topics``.

    Raises
    ------
    QgdrError
        If an input is wrong, or a run or another index is in the way.
    """
    runs = _run_files(topics, Path(output), options.tag)
    _refuse_existing(runs.values(), options)
    queries = [read_topics(file) for file in topics]
    asked = dict(zip(runs, queries, strict=True))
    for language, found in search_bm25(corpus, asked, Path(output), options, reporter):
        reporter.say(f"Searching {len(asked[language]):,} queries: {runs[language]}")
        write_run(runs[language], found, options.tag)
    return list(runs.values())


def search_bm25(
    corpus: StrPath,
    topics: Mapping[str, Mapping[str, str]],
    scratch: Path,
    options: Options,
    reporter: Reporter,
) -> Iterator[tuple[str, Iterator[tuple[str, lucene.Hits]]]]:
    """Search a corpus with BM25, one language after the other.

    Parameters
    ----------
    corpus, options, reporter
        As in `write_bm25_runs`.
    topics
        Questions by qid by language.
    scratch
        Folder in which the Lucene index lies meanwhile, if it is not kept; made if missing.

    Yields
    ------
    tuple of str and Iterator
        A language, and qids with their hits, which are searched for as they are taken.

    Raises
    ------
    QgdrError
        If an input is wrong, or another index is in the way.
    """
    if options.segments:
        _store_of_segments(Path(corpus))
    options = _with_language(corpus, options, reporter)
    lucene.check_language(options.analyzer)
    dictionaries = _dictionaries(topics, options, reporter)
    scratch.mkdir(parents=True, exist_ok=True)
    with _index(corpus, scratch, options, reporter) as index:
        for language, questions in topics.items():
            found = _search(index, questions, dictionaries.get(language), options)
            yield language, _documents(found, options) if options.segments else found


def _documents(
    found: Iterator[tuple[str, lucene.Hits]], options: Options
) -> Iterator[tuple[str, lucene.Hits]]:
    """Turn rankings of segments into such of documents."""
    for qid, hits in found:
        best = best_segments(hits, lambda hit: hit[0], options.hits)
        yield qid, [(document_of(docid), score) for docid, score in best]


def _with_language(corpus: StrPath, options: Options, reporter: Reporter) -> Options:
    """Find out the passages' language, if it is not given."""
    if options.language is not None:
        return options
    if options.index is not None and (kept := _source_of(options.index)) is not None:
        return replace(options, language=kept.language)
    with _passages(corpus, options) as passages:
        language, remark = choose_analyzer(passages)
    if remark:
        reporter.say(remark)
    return replace(options, language=language)


def choose_analyzer(passages: Iterable[Passage]) -> tuple[str, str]:
    """Choose the language of the analyzer by what most passages are in.

    Parameters
    ----------
    passages
        A corpus.

    Returns
    -------
    tuple of str and str
        The language, and what a user has to know of the choice; nothing where all are in English.
    """
    counts = count_languages(passages)
    if not counts:
        return ENGLISH, ""
    found = base_language(counts.most_common(1)[0][0])
    language = found if found in lucene.analyzer_languages() else ENGLISH
    if [*map(base_language, counts)] == [language]:
        return (
            language,
            "" if language == ENGLISH else f"Passages are in {language!r}; --language changes that",
        )
    several = ", ".join(sorted(counts))
    return language, f"Passages are in {several}; all are analyzed as {language!r}, --language changes that"


def _dictionaries(languages: Iterable[str], options: Options, reporter: Reporter) -> Mapping[str, Dictionary]:
    """Read the dictionaries of languages that are not the passages' own."""
    others = [
        language for language in languages if base_language(language) != base_language(options.analyzer)
    ]
    if options.lexicon is None or not others:
        return {}
    reporter.say(f"Reading {options.lexicon}")
    found = read_dictionaries(options.lexicon, options.names, others)
    for language in others:
        if language not in found:
            reporter.say(f"{options.lexicon}: no entries for {language!r}; its questions stay as they are")
    return found


def _search(
    index: Path, questions: Mapping[str, str], dictionary: Dictionary | None, options: Options
) -> Iterator[tuple[str, lucene.Hits]]:
    if dictionary is None:
        return lucene.search(index, questions, options.ranking)
    words = {qid: translate(question, dictionary) for qid, question in questions.items()}
    return lucene.search_translated(index, words, options.ranking)


def _run_files(topics: Sequence[StrPath], output: Path, tag: str) -> dict[str, Path]:
    """Name the run of each topics file, by language."""
    runs: dict[str, Path] = {}
    for file in topics:
        language = topics_language(file)
        if language is None:
            raise InputError("the name does not tell the language; call it topics.LANG.tsv", file)
        if language in runs:
            raise InputError(f"a second file for {language!r}; run.{tag}.{language}.txt holds one", file)
        runs[language] = output / f"run.{tag}.{language}.txt"
    return runs


def _refuse_existing(runs: Iterable[Path], options: Options) -> None:
    for run in runs:
        if run.exists() and not options.overwrite:
            raise QgdrError(f"{run}: already exists; pass --overwrite to replace it")


@contextlib.contextmanager
def _index(corpus: StrPath, output: Path, options: Options, reporter: Reporter) -> Iterator[Path]:
    """Yield the folder of the Lucene index: a kept one, or one for this time only."""
    if options.index is not None:
        yield _kept_index(corpus, options.index, options, reporter)
        return
    with tempfile.TemporaryDirectory(dir=output, prefix=".lucene.") as folder:
        _build(corpus, Path(folder), options, reporter)
        yield Path(folder)


def _kept_index(corpus: StrPath, index: Path, options: Options, reporter: Reporter) -> Path:
    source, kept = Source(_digest(corpus, options), options.analyzer, options.rm3), _source_of(index)
    if kept is not None and kept.serves(source):
        reporter.say(f"Using the index in {index}")
        return index
    if kept is not None and not options.overwrite:
        raise QgdrError(
            f"{index}: built from another corpus or language, or not for --rm3; "
            "pass --overwrite to build it anew, or name another --index"
        )
    if kept is None and index.exists() and not (index.is_dir() and not any(index.iterdir())):
        raise QgdrError(f"{index}: holds no index kept by 'qgdr bm25', so it stays; choose another name")
    with atomic_directory(index, overwrite=kept is not None) as folder:
        _build(corpus, folder, options, reporter)
        _describe(folder, source)
    return index


def index_passages(
    passages: Iterable[Passage], name: str, index: Path, language: str, advance: Callable[[int], object]
) -> None:
    """Make a Lucene index that is kept.

    Parameters
    ----------
    passages
        What to index.
    name
        What they are, for whoever wants to use the index later.
    index
        Its folder, which must not exist.
    language
        Language of the passages, for the analyzer.
    advance
        Called with the number of passages indexed since the last call.
    """
    lucene.check_language(language)
    with atomic_directory(index) as folder:
        lucene.build_index(passages, folder, language, os.cpu_count() or 1, advance)
        _describe(folder, Source(name, language))


def kept_language(index: Path) -> str:
    """Tell the language that a Lucene index was made for; English where it does not say."""
    source = _source_of(index)
    return source.language if source else ENGLISH


def _describe(folder: Path, source: Source) -> None:
    (folder / KEPT).write_text(json.dumps(asdict(source)) + "\n", encoding="utf-8")


def _build(corpus: StrPath, folder: Path, options: Options, reporter: Reporter) -> None:
    reporter.say(f"Indexing {os.fspath(corpus)}")
    with _passages(corpus, options) as passages:
        lucene.build_index(
            passages, folder, options.analyzer, options.cores, reporter.advance, vectors=options.rm3
        )


@contextlib.contextmanager
def _passages(corpus: StrPath, options: Options) -> Iterator[Iterable[Passage]]:
    if not options.segments:
        yield read_corpus(corpus)
        return
    with contextlib.closing(PassageStore(_store_of_segments(Path(corpus)))) as store:
        yield store


def _store_of_segments(index: Path) -> Path:
    """Give the file with the segments of a dense index."""
    from qgdr_pyserini.encode.manifest import IndexManifest  # with torch and FAISS, which words do not need

    manifest = IndexManifest.read(index)
    if manifest.split is None:
        raise QgdrError(f"{index}: not split into segments; give its corpus by --corpus PATH")
    if manifest.store is None:
        raise QgdrError(
            f"{index}: has no segments beside it; add them by --resume and the command that made it"
        )
    return index / manifest.store


def _source_of(index: Path) -> Source | None:
    try:
        return Source(**json.loads((index / KEPT).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, TypeError, ValueError) as error:
        raise InputError(f"unreadable ({error}); delete the index and build it again", index / KEPT) from None


def _digest(corpus: StrPath, options: Options) -> str:
    # A set on the hub has no files here; its name stands for it.
    digest = hashlib.sha256(os.fspath(corpus).encode() if on_hub(corpus) else b"")
    for file in [_store_of_segments(Path(corpus))] if options.segments else corpus_files(corpus):
        try:
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", file) from None
    return f"sha256:{digest.hexdigest()}"
