"""``--encoder-class qgdr``."""

from __future__ import annotations

import argparse
from types import ModuleType

from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"


def allow_encoder_class(module: ModuleType) -> Shim:
    """Let `search.faiss` and `search.hybrid` take ``--encoder-class qgdr``.

    Upstream: the classes that the option takes are listed in the parser (1.6.0 to 2.4.0), apart from the
    table that they are looked up in.
    https://github.com/castorini/pyserini/blob/master/pyserini/search/faiss/__main__.py
    """
    yield
    stock = module.define_dsearch_args

    def define_dsearch_args(parser: argparse.ArgumentParser) -> None:
        from qgdr_pyserini.pyserini_plugin.encoders import KEY

        stock(parser)
        for action in parser._actions:
            if "--encoder-class" in action.option_strings and action.choices is not None:
                action.choices = [KEY, *action.choices]

    setattr(module, "define_dsearch_args", define_dsearch_args)  # noqa: B010  mypy: a module
    return "--encoder-class takes qgdr"
