"""The web application: REST, its OpenAPI document, and the page."""

# Annotations name the limits that the application was made with, so they are evaluated where they stand.
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response

from qgdr_pyserini import __version__
from qgdr_pyserini.ask.engine import Engine
from qgdr_pyserini.ask.passages import Mode
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.per_query import Outcome, Outcomes
from qgdr_pyserini.serve.answering import Answering
from qgdr_pyserini.serve.batching import Busy
from qgdr_pyserini.serve.limits import DEFAULTS, Limits
from qgdr_pyserini.serve.messages import (
    Encoded,
    Found,
    Health,
    Judged,
    Problem,
    RunHit,
    RunRow,
    Texts,
    TopicOutcome,
    TopicRow,
    Topics,
)

_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "It cannot be searched so"},
    413: {"model": Problem, "description": "The body is too long"},
    503: {"model": Problem, "description": "Too many questions wait"},
}


def make_app(engine: Engine, outcomes: Outcomes, name: str, limits: Limits = DEFAULTS) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    engine
        What is asked.
    outcomes
        Questions with judgements and runs, to look at.
    name
        The index's, for people.
    limits
        Most that a request may ask for.
    """
    answering = Answering(engine, limits)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await answering.answer("warm-up", 1, "dense", None)
        yield
        answering.close()

    app = FastAPI(
        title="qgdr serve",
        version=__version__,
        description="Passages for questions in any language.",
        lifespan=lifespan,
        # FastAPI's own pages about the document load scripts from other servers.
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(Busy, _busy)
    app.add_exception_handler(QgdrError, _unusable)
    _add_search(app, answering, limits)
    _add_health(app, answering, outcomes, name)
    _add_topics(app, engine, outcomes)
    _add_page(app)
    return app


def _add_search(app: FastAPI, answering: Answering, limits: Limits) -> None:
    @app.get("/search", responses=_PROBLEMS)
    async def search(
        question: Annotated[str, Query(min_length=1, max_length=limits.question)],
        mode: Mode = "dense",
        hits: Annotated[int, Query(ge=1, le=limits.hits)] = 10,
        language: Annotated[str | None, Query(pattern="^[a-z]{2,3}$")] = None,
    ) -> Found:
        """Find passages for a question."""
        if not question.strip():
            raise HTTPException(400, "the question is empty")
        started = time.perf_counter()
        answer = await answering.answer(question.strip(), hits, mode, language)
        spent = round(1000 * (time.perf_counter() - started), 1)
        return Found(
            question=answer.question,
            language=answer.language,
            mode=mode,
            milliseconds=spent,
            hits=answer.hits,
        )

    @app.post("/encode", responses=_PROBLEMS)
    async def encode(texts: Texts) -> Encoded:
        """Encode texts as questions or as passages."""
        if len(texts.texts) > limits.texts or any(len(text) > limits.text for text in texts.texts):
            raise HTTPException(
                413, f"at most {limits.texts} texts of {limits.text:,} characters are encoded at a time"
            )
        vectors = await answering.encode(texts.texts, texts.role)
        dense = answering.engine.dense
        return Encoded(encoder=dense.name, dimension=dense.encoder.dimension, vectors=vectors)


def _add_health(app: FastAPI, answering: Answering, outcomes: Outcomes, name: str) -> None:
    @app.get("/health")
    async def health() -> Health:
        """Tell what is served, and that it is."""
        dense = answering.engine.dense
        return Health(
            version=__version__,
            index=name,
            encoder=dense.name,
            dimension=dense.encoder.dimension,
            passages=len(dense),
            modes=list(answering.engine.modes),
            topics=len(outcomes.topics),
            languages=outcomes.languages,
            runs=outcomes.runs,
            waiting=answering.waiting,
        )


def _add_topics(app: FastAPI, engine: Engine, outcomes: Outcomes) -> None:
    @app.get("/topics")
    async def topics(
        text: Annotated[str, Query(max_length=200)] = "",
        language: Annotated[str, Query(max_length=20)] = "",
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Topics:
        """List questions of the topics that hold a text."""
        found = list(outcomes.find(text, language))
        rows = [
            TopicRow(qid=topic.qid, language=topic.language, question=topic.question)
            for topic in found[offset : offset + limit]
        ]
        return Topics(total=len(found), topics=rows)

    @app.get("/topics/{qid}", responses={404: {"model": Problem}})
    def topic(qid: str) -> TopicOutcome:
        """Tell how the runs did on a question."""
        outcome = outcomes.outcome(qid)
        if outcome is None:
            raise HTTPException(404, "there is no such question in the topics")
        return _outcome(outcome, engine)


def _outcome(outcome: Outcome, engine: Engine) -> TopicOutcome:
    shown = {*outcome.judged, *(docid for run in outcome.runs for docid, _ in run.top)}
    known = engine.find(sorted(shown))
    # Judgements and runs may be about more passages than the index holds.
    passages = {docid: known.get(docid, Passage(docid, "", "")) for docid in shown}
    judged = [
        Judged(
            docid=docid,
            grade=grade,
            title=passages[docid].title,
            text=passages[docid].text,
            ranks={run.name: run.ranks.get(docid) for run in outcome.runs},
        )
        for docid, grade in outcome.judged.items()
    ]
    runs = [
        RunRow(
            name=run.name,
            found=run.found,
            first=run.first,
            top=[
                RunHit(
                    rank=rank,
                    docid=docid,
                    score=score,
                    title=passages[docid].title,
                    grade=outcome.judged.get(docid),
                )
                for rank, (docid, score) in enumerate(run.top, 1)
            ],
        )
        for run in outcome.runs
    ]
    topic = outcome.topic
    return TopicOutcome(
        qid=topic.qid, language=topic.language, question=topic.question, judged=judged, runs=runs
    )


def _add_page(app: FastAPI) -> None:
    folder = files("qgdr_pyserini.serve") / "page"
    for path, (name, kind) in _PAGE.items():
        content = (folder / name).read_bytes()
        app.add_api_route(path, _giving(content, kind), include_in_schema=False)


def _giving(content: bytes, kind: str) -> Callable[[], Awaitable[Response]]:
    async def respond() -> Response:
        return Response(content, media_type=kind)

    return respond


async def _busy(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(
        {"detail": "too many questions wait; ask again in a moment"}, 503, headers={"retry-after": "1"}
    )


async def _unusable(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 400)
