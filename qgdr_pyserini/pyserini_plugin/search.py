"""Pyserini's own dense search with our encoders registered, whatever the import hook's state."""

from __future__ import annotations

import argparse
import contextlib
import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.registry import DEFAULT_ENCODER
from qgdr_pyserini.pyserini_plugin import hook
from qgdr_pyserini.pyserini_plugin.max_passage import max_passage_options
from qgdr_pyserini.pyserini_plugin.option_values import option_value, option_values

MODULE = "pyserini.search.faiss"
REQUIRED = ("--index", "--topics", "--output")
ENCODER_OPTIONS = ("--encoder", "--encoded-queries", "--encoded_queries")
INDEX_FILES = ("index", "docid")


def search(arguments: Sequence[str]) -> None:
    """Run ``python -m pyserini.search.faiss`` in this process.

    Parameters
    ----------
    arguments
        Its options, passed on as they are; ``--encoder qgdr`` is added where no encoder and no
        encoded queries are named, and what ranks documents by their segments where an index is of such.
        Several ``--index`` are searched as one.

    Raises
    ------
    QgdrError
        If the index or the topics are not there, the encoder is unknown, several indexes do not go
        together, or Pyserini's own parser refuses an option.
    SystemExit
        After Pyserini's help.
    """
    hook.install()
    if not {"-h", "--help"} & set(arguments):
        _check(arguments)
    sys.argv = [MODULE, *_with_encoder(arguments), *max_passage_options(arguments)]
    with _one_line_option_errors(), _together(option_values(arguments, "--index")):
        runpy.run_module(MODULE, run_name="__main__", alter_sys=True)


def _together(indexes: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    if len(indexes) < 2:
        return contextlib.nullcontext()
    from qgdr_pyserini.pyserini_plugin.several_indexes import searched_together

    return searched_together(indexes)


@contextlib.contextmanager
def _one_line_option_errors() -> Iterator[None]:
    """Have argparse raise instead of printing fifty lines of usage."""

    def refuse(parser: argparse.ArgumentParser, message: str) -> NoReturn:
        raise QgdrError(f"{message} (see 'qgdr search -- --help')")

    stock = argparse.ArgumentParser.error
    setattr(argparse.ArgumentParser, "error", refuse)  # noqa: B010  mypy: a method
    try:
        yield
    finally:
        setattr(argparse.ArgumentParser, "error", stock)  # noqa: B010


def _with_encoder(arguments: Sequence[str]) -> list[str]:
    named = any(option_value(arguments, option) is not None for option in ENCODER_OPTIONS)
    return [*arguments] if named else ["--encoder", DEFAULT_ENCODER, *arguments]


def _check(arguments: Sequence[str]) -> None:
    """Find in one line what Pyserini would end in a traceback for."""
    values = {name: option_value(arguments, name) for name in REQUIRED}
    for name, value in values.items():
        if value is None:
            raise QgdrError(f"missing option {name} (see 'qgdr search --help')")
    indexes = option_values(arguments, "--index")
    for index in indexes:
        check_index(Path(index), together=len(indexes) > 1)
    _check_topics(Path(values["--topics"] or ""))


def check_index(index: Path, together: bool) -> None:
    """Raise `QgdrError` unless there is an index; not ``together`` with others, it may be a prebuilt one."""
    if index.is_dir():
        for name in INDEX_FILES:
            if not (index / name).is_file():
                raise QgdrError(f"{index}: no FAISS index of Pyserini's, it has no file {name!r}")
    elif index.exists():
        raise QgdrError(f"{index}: is a file; --index takes the folder that holds 'index' and 'docid'")
    elif together or not _is_prebuilt(str(index)):
        raise QgdrError(f"{index}: no such index; make one with 'qgdr encode-corpus'{_unless_prebuilt()}")


def _check_topics(topics: Path) -> None:
    if topics.is_dir():
        raise QgdrError(f"{topics}: is a directory; --topics takes a file of qid<TAB>query lines")
    if not topics.exists() and not _is_known(str(topics)):
        raise QgdrError(
            f"{topics}: no such file; --topics takes a file of qid<TAB>query lines{_unless_prebuilt()}"
        )


def _is_prebuilt(index: str) -> bool:
    from pyserini.prebuilt_index_info import FAISS_INDEX_INFO

    return index in FAISS_INDEX_INFO


def _is_known(topics: str) -> bool:
    """Tell whether Pyserini has topics of this name; it fetches the list from 2.4 on."""
    from pyserini.search import _base

    if hasattr(_base, "topics_mapping"):
        return topics in _base.topics_mapping
    try:
        return topics in _base._get_topics_mapping()
    except OSError:
        return False


def _unless_prebuilt() -> str:
    """Say that a name of Pyserini's own could not be looked up, where that is so."""
    from qgdr_pyserini.pyserini_plugin.network import connection

    return f" (Pyserini's own names need the network: {connection.failure})" if connection.failure else ""
