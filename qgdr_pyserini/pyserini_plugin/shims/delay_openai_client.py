"""Importing Pyserini without an OpenAI API key."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = "<2.1"


def delay_openai_client(module: ModuleType) -> Shim:
    """Let the OpenAI client that `pyserini.encode._openai` makes at import wait until it is used.

    Upstream: the module calls ``openai.OpenAI(api_key="")`` while it is imported (1.6.0 to 2.0.0), and
    openai newer than about 2.24 refuses that, so that nothing of `pyserini.encode` can be imported
    without ``OPENAI_API_KEY``. Where the client can be made, it is made as before.
    https://github.com/castorini/pyserini/blob/master/pyserini/encode/_openai.py
    """
    import openai

    make = openai.OpenAI
    setattr(openai, "OpenAI", _now_or_later(make, openai.OpenAIError))  # noqa: B010  mypy: a class
    try:
        yield
    finally:
        setattr(openai, "OpenAI", make)  # noqa: B010
    delayed = isinstance(getattr(module, "client", None), DelayedClient)
    return "no OPENAI_API_KEY is set" if delayed else None


def _now_or_later(make: Callable[..., Any], refusal: type[Exception]) -> Callable[..., Any]:
    def client(*args: Any, **kwargs: Any) -> Any:
        try:
            return make(*args, **kwargs)
        except refusal:
            # Without the empty key, so that one set in the environment meanwhile is found.
            return DelayedClient(lambda: make(*args, **{key: v for key, v in kwargs.items() if v}))

    return client


class DelayedClient:
    """Stands for a client that could not be made yet.

    Parameters
    ----------
    make
        Makes the client; called at every use, so that its own error, which names the missing
        key, reaches whoever wanted to use it.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)
