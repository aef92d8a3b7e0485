"""`pyserini.encode.query` with one of our encoders."""

from __future__ import annotations

import functools
import inspect
from types import ModuleType
from typing import Any

from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"


def encoder_for_encode_query(module: ModuleType) -> Shim:
    """Make ``python -m pyserini.encode.query --encoder qgdr`` take our encoder.

    Upstream: the command goes through a chain of ``if``s of its own instead of the tables in
    `pyserini.encode` (1.6.0 to 2.4.0), and takes any name it does not know for one on the Hugging Face hub.
    https://github.com/castorini/pyserini/blob/master/pyserini/encode/query.py
    """
    yield
    stock = module.init_encoder

    @functools.wraps(stock)
    def init_encoder(encoder: str, *args: Any, **kwargs: Any) -> Any:
        from qgdr_pyserini.pyserini_plugin.encoders import KEY, QgdrQueryEncoder

        if KEY not in encoder.lower():
            return stock(encoder, *args, **kwargs)
        options = inspect.signature(stock).bind(encoder, *args, **kwargs).arguments
        return QgdrQueryEncoder(encoder, device=options.get("device", "cpu"), prefix=options.get("prefix"))

    setattr(module, "init_encoder", init_encoder)  # noqa: B010  mypy: a module
    return "pyserini.encode.query takes the names of our encoders"
