"""Questions put to one index or to several systems side by side."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qgdr_pyserini.ask.engine import Engine, open_engine
from qgdr_pyserini.ask.passages import Answer, Hit, Mode
from qgdr_pyserini.ask.retrievers import DenseSearcher, Lookup
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.passage_store import PassageStore
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import read_lines

Search = Callable[[Sequence[str], int], list[list[Hit]]]


@dataclass(frozen=True)
class AskRequest:
    """What ``qgdr ask`` is asked for.

    Parameters
    ----------
    index
        The index's folder.
    hits
        Most passages a question.
    encoder, corpus, bm25, device
        As for `open_engine`.
    modes
        Ways to search, side by side; all that the options allow for, but the hybrid one, when empty.
    compare, compare_index
        Another encoder, and its index of the same passages, to set beside.
    language
        Of the questions; told by their letters if None.
    """

    index: Path
    hits: int = 5
    encoder: str | None = None
    corpus: str | None = None
    bm25: Path | None = None
    device: str = "cpu"
    modes: tuple[Mode, ...] = ()
    compare: str | None = None
    compare_index: Path | None = None
    language: str | None = None

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.compare and not self.compare_index:
            raise QgdrError("--compare ENCODER needs --compare-index DIR, the passages encoded by it")
        wanted = [mode for mode in self.modes if mode != "dense"]
        if wanted and self.bm25 is None:
            raise QgdrError(f"--mode {wanted[0]} needs --bm25 DIR, the passages' Lucene index")


def ask(
    request: AskRequest,
    questions: Iterable[str],
    *,
    together: int = 1,
    tell: Callable[[str], object] = lambda message: None,
) -> Iterator[list[Answer]]:
    """Answer questions.

    Parameters
    ----------
    request
        By what, and how.
    questions
        In any language; blank ones are passed over.
    together
        How many are searched at a time.
    tell
        Called with what was decided or done on the user's behalf, a line each.

    Yields
    ------
    list of Answer
        For each question, one of every system.

    Raises
    ------
    QgdrError
        If something of an index is missing, damaged, or belongs to another.
    """
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(
            open_engine(
                request.index,
                encoder=request.encoder,
                corpus=request.corpus,
                bm25=request.bm25,
                device=request.device,
                tell=tell,
            )
        )
        systems = _systems(request, engine)
        asked = (question.strip() for question in questions if question.strip())
        while batch := list(itertools.islice(asked, together)):
            found = [(name, search(batch, request.hits)) for name, search in systems]
            for number, question in enumerate(batch):
                yield [engine.present(question, request.language, name, hits[number]) for name, hits in found]


def _systems(request: AskRequest, engine: Engine) -> list[tuple[str, Search]]:
    """Name what searches, and give how."""

    def in_mode(mode: Mode) -> Search:
        return lambda questions, hits: engine.search(questions, hits, mode)

    modes = request.modes or tuple(mode for mode in engine.modes if mode != "hybrid")
    systems = [(engine.dense.name if mode == "dense" else mode, in_mode(mode)) for mode in modes]
    if request.compare_index is not None:
        lookup = _lookup(request.compare_index, engine.store)
        other = DenseSearcher(request.compare_index, lookup, request.compare, request.device)
        systems.append((_new_name(other.name, request.compare_index, systems), other.search))
    return systems


def _new_name(name: str, index: Path, systems: Sequence[tuple[str, Search]]) -> str:
    """Call two indexes of one encoder by different names."""
    return name if name not in [one for one, _ in systems] else f"{name}, {index}"


def _lookup(index: Path, store: PassageStore) -> Lookup:
    """Give the passages in the rows of another index of a store's passages."""
    docids = [docid for _, docid in read_lines(index / "docid")]

    def passages(rows: Sequence[int]) -> list[Passage]:
        wanted = [docids[row] for row in rows]
        found = store.find(wanted)
        for docid in wanted:
            if docid not in found:
                raise QgdrError(
                    f"{index}: passage {docid!r} is not in the index that it is compared with; "
                    "encode the same corpus for both"
                )
        return [found[docid] for docid in wanted]

    return passages
