"""From a corpus to an index: read, batch, encode, append, assemble."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.passage_store import PASSAGES, store_of_corpus, write_store
from qgdr_pyserini.encode.faiss_types import IndexType
from qgdr_pyserini.encode.job import (
    PARAMETERS,
    QUANTIZATION,
    REPLACE,
    TYPE,
    asked_index_type,
    begun_otherwise,
    describe_job,
    index_type_of,
    refuse_earlier_int8,
    refuse_other_job,
)
from qgdr_pyserini.encode.journal import DOCIDS, FILES, STORE, Journal
from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest, note_store
from qgdr_pyserini.encode.options import WHOLE, EncodingOptions
from qgdr_pyserini.encode.splitting import Splitter
from qgdr_pyserini.encode.truncation import as_counts
from qgdr_pyserini.encode.windows import WindowReader
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_path, put_in_place, read_lines, refuse_existing
from qgdr_pyserini.lock import only_writer
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference.batching import automatic_batch_tokens
from qgdr_pyserini.model.inference.devices import compute, device_names, load_on_all
from qgdr_pyserini.model.inference.precision import choose_precision, set_precision
from qgdr_pyserini.model.inference.prefetch import prefetch
from qgdr_pyserini.model.inference.quantization import CALIBRATION_PASSAGES, Quantization, calibrate
from qgdr_pyserini.model.registry import DEFAULT_ENCODER
from qgdr_pyserini.model.towers import Tower, find_towers
from qgdr_pyserini.progress import Advance

INDEX = "index"

_FINISHED = "finished"


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedCorpus:
    """What `encode_corpus` made.

    Parameters
    ----------
    index
        Where.
    passages
        How many are in it.
    resumed
        How many of them an earlier run had encoded.
    seconds
        How long reading, encoding and writing took; loading the encoder is not in it.
    manifest
        What stands beside the index, where it is at hand.
    """

    index: Path
    passages: int
    resumed: int
    seconds: float
    manifest: IndexManifest | None = None

    def __fspath__(self) -> str:
        """Return the index's path, so that this stands for it."""
        return str(self.index)


def encode_corpus(
    corpus: str | os.PathLike[str],
    index: str | os.PathLike[str],
    encoder: str = DEFAULT_ENCODER,
    *,
    resume: bool = False,
    overwrite: bool = False,
    options: EncodingOptions | None = None,
    advance: Advance = lambda done: None,
    tell: Callable[[str], object] = lambda message: None,
) -> EncodedCorpus:
    """Encode a corpus into an index that Pyserini searches.

    The index appears under its name only when it is whole; until then, whatever stands there stays, and
    the work done is kept in ``INDEX.partial`` beside it.

    Parameters
    ----------
    corpus
        What `read_corpus` reads.
    index
        The index's directory: ``index`` and ``docid`` as Pyserini writes them, ``qgdr.json``, and
        ``passages.sqlite`` with the passages themselves.
    encoder
        Name or path, as `find_towers` takes it; of two encoders, the second makes the vectors.
    resume
        Go on where an earlier run stopped; begin where none did. A finished index that lacks nothing but its
        passages gets them.
    overwrite
        Replace an index that stands there, and drop unfinished work.
    options
        How to encode.
    advance
        Called with the number of passages of every batch done.
    tell
        Called with what was decided on the user's behalf, a line each.

    Returns
    -------
    EncodedCorpus
        What was made.

    Raises
    ------
    QgdrError
        If corpus, encoder or an option cannot be used, something stands at ``index`` that may not be
        replaced, another process is writing it, or unfinished work does not fit this one.
    """
    chosen = options or EncodingOptions()
    place = Path(index)
    refuse_output(place, overwrite=overwrite, resume=resume)
    towers = find_towers(encoder)
    passages = _not_empty(corpus)
    models = _load(towers.passage, chosen)
    model = models[0]
    for guess in model.guesses:
        tell(guess)
    job = describe_job(corpus, towers, model, chosen, tell) | {REPLACE: overwrite}
    if chosen.split is not None:
        passages = Splitter(model, chosen.split, job["max_length"]).segments(corpus, passages)
    with only_writer(place):
        refuse_output(place, overwrite=overwrite, resume=resume)
        if resume and not Journal.stands_at(partial_folder(place)) and (place / DOCIDS).is_file():
            finished = _finished_before(place, job, passages)
            Journal.sweep(partial_folder(place))
            return finished
        with closing(_open_work(place, job, corpus, chosen, resume, model, tell)) as work:
            return _encode(place, work, passages, models, chosen, advance)


def refuse_output(place: Path, *, overwrite: bool, resume: bool = False) -> None:
    """Raise `QgdrError` unless an index may be written to ``place``.

    ``overwrite`` lets it replace an index, and only that: a mistyped name must not cost a directory
    of something else, the corpus's for one.
    """
    if resume and overwrite:
        raise QgdrError(
            "--resume and --overwrite exclude each other; what is resumed replaces what it was to"
        )
    refuse_existing(place, overwrite=overwrite or resume)
    if place.is_dir() and any(place.iterdir()) and not (place / DOCIDS).is_file():
        raise QgdrError(
            f"{place}: not an index (no {DOCIDS} in it), so it is not overwritten; choose another name"
        )
    partial = partial_folder(place)
    if Journal.stands_at(partial) and not (overwrite or resume):
        raise QgdrError(f"{partial}: holds unfinished work; go on with --resume, or drop it with --overwrite")


def partial_folder(place: Path) -> Path:
    """Where the unfinished work on an index is kept."""
    return place.with_name(f"{place.name}.partial")


def _encode(
    place: Path,
    work: Journal,
    passages: Iterator[Passage],
    models: list[DualEncoder],
    options: EncodingOptions,
    advance: Advance,
) -> EncodedCorpus:
    started, before = time.perf_counter(), work.count
    if _stands_finished(place, work):
        work.remove()
        return EncodedCorpus(place, before, before, time.perf_counter() - started, IndexManifest.read(place))
    refuse_existing(place, overwrite=work.job[REPLACE])
    described = work.job.get(QUANTIZATION)
    quantization = Quantization.from_description(described) if described else None
    for model in models:
        set_precision(model, work.job["precision"], quantization)
    reader = WindowReader(passages, models[0], options, work.windows)
    try:
        _append_windows(reader, work, models, advance)
    except BaseException as error:
        _keep_or_drop(work, error)
        raise
    manifest = _finish(place, work, reader.read)
    return EncodedCorpus(place, work.count, before, time.perf_counter() - started, manifest)


def _append_windows(reader: WindowReader, work: Journal, models: list[DualEncoder], advance: Advance) -> None:
    budget = work.windows[-1].batch_tokens if work.windows else work.job["batch_tokens"]
    with prefetch(reader) as tokenized, closing(compute(tokenized, models, budget, advance)) as computed:
        for window, vectors, batch_tokens in computed:
            work.append(window.passages, vectors, window.contents, batch_tokens, window.truncation)


def _keep_or_drop(work: Journal, error: BaseException) -> None:
    """Keep what was encoded; where a fault in the corpus stopped it, let its files be mended."""
    if not work.windows:
        work.remove()
    elif isinstance(error, InputError):
        work.note(**{FILES: None})


def _finish(place: Path, work: Journal, corpus_passages: int) -> IndexManifest:
    """Assemble the index and put it in its place."""
    finished = work.folder / _FINISHED
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()
    # A shard stays exact whatever is wanted in the end: what is trained is trained when all are together.
    kind = index_type_of(work.job) if work.job["shard"] == str(WHOLE) else IndexType()
    kind.write(work.mapped(), finished / INDEX)
    shutil.copyfile(work.folder / DOCIDS, finished / DOCIDS)
    if work.job.get(STORE):
        write_store(finished / work.job[STORE], work.passages())
    manifest = _manifest(work, corpus_passages)
    manifest.write(finished / MANIFEST)
    put_in_place(finished, place)
    work.remove()
    return manifest


def _manifest(work: Journal, corpus_passages: int) -> IndexManifest:
    job = {key: value for key, value in work.job.items() if key != REPLACE}
    return IndexManifest(
        **job,
        passages=work.count,
        corpus_passages=corpus_passages,
        contents=work.contents,
        truncated=as_counts(work.truncation),
    )


def _stands_finished(place: Path, work: Journal) -> bool:
    """Whether a run was killed after the index came to its place and before its unfinished work went."""
    if not work.count:
        return False
    try:
        manifest = IndexManifest.read(place)
    except InputError:  # none there, or an index of another make that is to be replaced
        return False
    return manifest == _manifest(work, manifest.corpus_passages)


def _finished_before(place: Path, job: dict[str, Any], passages: Iterator[Passage]) -> EncodedCorpus:
    """Leave an index alone that is what would be made; one that lacks its passages gets them."""
    started, manifest = time.perf_counter(), IndexManifest.read(place)
    found = dataclasses.asdict(manifest) | {REPLACE: job[REPLACE]}
    kind = asked_index_type(job, manifest.kind)
    if kind != manifest.kind:
        raise begun_otherwise(place, "index type", manifest.kind, kind)
    adding = job[STORE] is not None and manifest.store is None
    refuse_other_job(place, found | ({STORE: job[STORE]} if adding else {}), job)
    if adding:
        add_store(place, passages, "the corpus")
    seconds = time.perf_counter() - started
    return EncodedCorpus(place, manifest.passages, manifest.passages, seconds, manifest)


def add_store(place: Path, passages: Iterator[Passage], corpus: object) -> None:
    """Write the passages of an index beside it; see `store_of_corpus`."""
    docids = (docid for _, docid in read_lines(place / DOCIDS))
    with atomic_path(place / PASSAGES) as work:
        store_of_corpus(work, passages, docids, corpus)
    note_store(place, PASSAGES)


def _open_work(
    place: Path,
    job: dict[str, Any],
    corpus: str | os.PathLike[str],
    options: EncodingOptions,
    resume: bool,
    model: DualEncoder,
    tell: Callable[[str], object],
) -> Journal:
    partial = partial_folder(place)
    if resume and Journal.stands_at(partial):
        work = Journal.resume(partial)
        refuse_other_job(partial, work.job, job)
        refuse_earlier_int8(partial, work.job)
        _change_index_type(work, job, tell)
        if work.job[FILES] is None:
            work.note(**{FILES: job[FILES]})
        tell(f"going on after {work.count:,} passages, precision {work.job['precision']}")
        return work
    kind = asked_index_type(job, IndexType())
    kind.refuse_unusable(model.dimension)
    precision, reason = choose_precision(options.precision, model)
    if options.precision == "auto":
        tell(f"precision {precision}: {reason}")
    if precision == "int8":
        job = job | {QUANTIZATION: _quantization(corpus, options, model, tell)}
    tokens = options.batch_tokens or automatic_batch_tokens(model.device)
    return Journal.begin(partial, job | {"precision": precision, "batch_tokens": tokens, TYPE: kind.name})


def _quantization(
    corpus: str | os.PathLike[str],
    options: EncodingOptions,
    model: DualEncoder,
    tell: Callable[[str], object],
) -> dict[str, Any]:
    """Decide which layers stay in fp32, by the corpus's first passages: they are the same for every shard."""
    first = list(itertools.islice(read_corpus(corpus), CALIBRATION_PASSAGES))
    tokens = model.passage_tokens(
        [item.text for item in first], [item.title for item in first], options.max_length
    )
    found, loss = calibrate(model, tokens)
    kept = ", ".join(found.kept) or "nothing"
    measured = f"mean cosine with fp32 {1 - loss:.4f} on the first {len(first)} passages"
    tell(f"precision int8: in fp32 stays {kept}; {measured}")
    return found.described()


def _change_index_type(work: Journal, job: dict[str, Any], tell: Callable[[str], object]) -> None:
    """Take up another index type than work was begun with: the vectors are the same."""
    before = index_type_of(work.job)
    kind = asked_index_type(job, before)
    if kind != before:
        kind.refuse_unusable(work.job["dimension"])
        work.note(**{TYPE: kind.name, PARAMETERS: kind.parameters.given() or None})
        tell(f"index type {kind} instead of {before}")


def _not_empty(corpus: str | os.PathLike[str]) -> Iterator[Passage]:
    """Read the first passage now, so that a corpus that is missing or empty is told before work begins."""
    passages = read_corpus(corpus)
    first = next(passages, None)
    if first is None:
        raise InputError("empty corpus; it needs at least one passage", corpus)
    return itertools.chain([first], passages)


def _load(tower: Tower, options: EncodingOptions) -> list[DualEncoder]:
    models = load_on_all(tower, device_names(options.device), options.settings)
    model = models[0]
    positions = getattr(model.model.config, "max_position_embeddings", None)
    longest = min(length for length in (positions, model.tokenizer.model_max_length) if length)
    if options.max_length and options.max_length > longest:
        name = tower.folder.name
        raise QgdrError(
            f"max length {options.max_length} is more than the {longest} tokens that {name} takes"
        )
    return models
