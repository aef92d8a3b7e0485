"""From options to a server that runs until it is told to end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn

from qgdr_pyserini.ask.engine import open_engine
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.per_query import read_outcomes
from qgdr_pyserini.serve.app import make_app
from qgdr_pyserini.serve.limits import DEFAULTS, Limits, is_loopback, with_guard

_PATIENCE = 60
"""Seconds that requests under way get when the server is told to end; questions take far less."""


@dataclass(frozen=True)
class ServeRequest:
    """What ``qgdr serve`` is asked for.

    Parameters
    ----------
    index
        The index's folder.
    encoder, corpus, bm25, device
        As for `open_engine`.
    topics, qrels, runs
        As for `read_outcomes`.
    host, port
        Where to listen; port 0 takes one that is free.
    """

    index: Path
    encoder: str | None = None
    corpus: str | None = None
    bm25: Path | None = None
    device: str = "cpu"
    topics: tuple[str, ...] = ()
    qrels: str | None = None
    runs: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000


def serve(
    request: ServeRequest,
    say: Callable[[str], object],
    tell: Callable[[str], object],
    limits: Limits = DEFAULTS,
) -> None:
    """Serve an index until SIGTERM or SIGINT; requests under way are answered first.

    Parameters
    ----------
    request
        What, and where.
    say
        Called with the address once it is open.
    tell
        Called with what was decided or done on the user's behalf, a line each.
    limits
        Most that a request may ask for.

    Raises
    ------
    QgdrError
        If the address cannot be listened on, or something of the index or the files is missing or damaged.
    """
    # Before uvicorn's own handlers, which call these when all is answered; and before Java's, which would
    # end the process at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    outcomes = read_outcomes(request.topics, request.qrels, request.runs)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_listen(request.host, request.port))
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
        app = with_guard(make_app(engine, outcomes, request.index.name, limits), limits, request.host)
        if not is_loopback(request.host):
            tell("Anyone who reaches this machine can ask: there is no password, and no encryption")
        say(f"Serving {request.index} at http://{_address(listener)}/ until Ctrl-C")
        _run(app, listener, limits)


def _run(app: object, listener: socket.socket, limits: Limits) -> None:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=_PATIENCE,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise QgdrError(f"{host}:{port}: {_reason(error)}; choose another --host or --port") from None
    # Connections inherit it. Without it, an answer's second packet waits some 40 ms for the first to be
    # acknowledged; asyncio sets it only on sockets that name their protocol, which this one does not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _reason(error: OSError) -> str:
    """Say what is wrong, without the address that Python adds. Failed look-ups have numbers of their own."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
